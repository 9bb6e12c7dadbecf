"""What Penstock needs in a Prefect server before work begins."""

from prefect.client.orchestration import get_client

from deployments.surface.difference import Found, differences
from deployments.surface.needs import NeedsMaker, read_needs, shapes_of_needs
from tasks.settings import Settings


async def ensure_installed(settings: Settings) -> None:
    """Limits, alerts and the watch over runs, made where there are none; what operators changed of them is kept.

    The address that alerts call is the settings'.
    """
    async with get_client() as client:
        found = Found()
        await read_needs(client, settings, found)
        maker = NeedsMaker(client, settings, found)
        for difference in differences(shapes_of_needs(settings), found.shapes):
            await maker.make(difference)
