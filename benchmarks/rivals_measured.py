"""The rivals' comparison as a measure: those that come to their end in time, in one run."""

from typing import Any, Final

from benchmarks.rivals.__main__ import run as played
from benchmarks.work import BATCHES

NAMES: Final = ("bare", "by_hand", "dbos_transact", "penstock", "penstock_postgres", "penstock_batches")


def run(
    latency_s: float, runs: int = 3, batches: int = BATCHES, names: tuple[str, ...] = NAMES
) -> dict[str, Any]:
    """Medians of each, ratios and CPU beyond bare asyncio's of the same run."""
    return played(latency_s, runs, batches, names)
