"""Names in a Prefect server that several installations of Penstock may share."""

from typing import Final

TAG: Final = "penstock"
"""What every run, deployment and automation of ours is tagged with."""
USUAL_POOL: Final = "penstock"
POOL_LABEL: Final = "penstock.pool"
"""The label by which events, and the triggers that wait for them, belong to an installation."""

EVENTS: Final = "/events"
"""Where Prefect's server takes events: `POST /api/events`, a list of them."""

ROW_ONLY: Final = "penstock.row-only"
"""The label of a task run's events that leave its row and nothing else: no feed shows them, no trigger sees them."""


def in_pool(name: str, pool: str) -> str:
    """A deployment's or trigger's name: as it is in the usual pool, with the pool's name before it in another."""
    return name if pool == USUAL_POOL else f"{pool}: {name}"
