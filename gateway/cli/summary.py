"""The figures of `status`, for a person."""

from typing import Any

from gateway.cli.output import counted, out, print_pairs, usd
from ledger.outbox import Undelivered


def print_summary(title: str, done: dict[str, Any]) -> None:
    """What `status` counts, and the wall time if `done` has it."""
    events, batches, made = done["events"], done["batches"], done["deliverables"]
    print_pairs(
        title,
        {
            "Events": f"{events['accepted']:,} accepted, {events['duplicates']:,} duplicates, "
            f"{events['rejected']:,} rejected",
            "Batches": f"{batches['total']:,}",
            "  by state": counted(batches["by_state"]),
            "  by scope": counted(batches["by_scope"]),
            "  by level": counted(_urgent_first(batches["by_level"])),
            "Deliverables": f"{made['total']:,}",
            "  by kind": counted(made["by_kind"]),
            "Model calls": f"{done['calls']:,} for {usd(done['cost_usd'])}",
        }
        | ({"Wall time": f"{done['wall_s']:.1f} s"} if "wall_s" in done else {}),
    )


def print_undelivered(failed: Undelivered) -> None:
    """Say that deliverables could not leave, why, and that nobody has to send them."""
    if failed.count:
        out.print(
            f"\n{failed.count:,} deliverables could not be delivered yet ({failed.error}); they are kept and tried "
            "again by themselves while `penstock up` or `penstock run` works.",
            markup=False,
        )


def _urgent_first(by_level: dict[str, int]) -> dict[str, int]:
    return {level: by_level.get(level, 0) for level in ("HIGH", "MEDIUM", "LOW")}
