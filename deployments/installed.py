"""What Penstock needs in a Prefect server before work begins."""

from deployments.automations import ensure_automations
from deployments.limits import ensure_limits
from tasks.settings import Settings


async def ensure_installed(settings: Settings) -> None:
    """Limits and alerts, made where there are none; what operators changed is kept."""
    await ensure_limits(settings)
    await ensure_automations(settings)
