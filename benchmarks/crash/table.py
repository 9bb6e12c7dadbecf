"""The published table: what was done to the pipeline, and what it made of it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.crash.audit import Findings
from benchmarks.crash.plan import BROKEN, DUPLICATES, EVENTS, KILL_POINTS
from benchmarks.crash.world import DURING_INTAKE

TEMPLATE: Final = Path(__file__).with_name("reliability.template.md")


def reliability(found: Sequence[Findings], lost: Sequence[str], wall_s: float, place: dict[str, Any]) -> str:
    """`docs/reliability.md`."""
    kills = Counter(kill for one in found for kill in one.kills)
    faults: Counter[str] = Counter()
    again: Counter[str] = Counter()
    batches: Counter[str] = Counter()
    for one in found:
        faults.update(one.faults)
        again.update(one.calls.again)
        batches.update(one.batches)
    wrong = [f"seed {one.seed}: {what}" for one in found for what in one.violations] + list(lost)
    rows = {
        "seeds": f"{len(found) + len(lost)}",
        "databases": ", ".join(
            f"{count} {name}" for name, count in Counter(one.database for one in found).items()
        ),
        "kills (SIGKILL)": f"{kills.total():,}",
        **{f"- {point}": f"{kills[point]:,}" for point in (DURING_INTAKE, *KILL_POINTS)},
        "faults of the model that were played": f"{faults.total():,}",
        **{f"- {kind.replace('_', ' ')}": f"{count:,}" for kind, count in sorted(faults.items())},
        "events sent": f"{EVENTS * len(found):,}",
        "- again, as duplicates": f"{DUPLICATES * len(found):,}",
        "- and lines that are none": f"{BROKEN * len(found):,}",
        "events accounted for": f"{sum(one.events for one in found):,}, each in its batches once",
        "batches": ", ".join(f"{count:,} {state}" for state, count in sorted(batches.items())),
        "model calls on record": f"{sum(one.calls.calls for one in found):,}",
        "requests that the model's server saw": f"{sum(one.requests for one in found):,}",
        "calls on record without an end": f"{sum(one.calls.on_the_wire + one.calls.never_left for one in found):,}",
        "- on the wire, or answered and not yet written down": f"{sum(one.calls.on_the_wire for one in found):,}",
        "- never left": f"{sum(one.calls.never_left for one in found):,}",
        "- the most that a single kill left": f"{max((one.calls.most for one in found), default=0)}",
        "- broken off with a lease that ran out": f"{sum(one.calls.stood_still for one in found):,}",
        "calls without an end that nothing explains": f"{sum(one.calls.unexplained for one in found):,}",
        "calls made again": f"{again.total():,}",
        **{f"- the one before {why}": f"{count:,}" for why, count in again.items()},
        "answers kept and asked for again": f"{sum(one.calls.paid_twice for one in found):,}",
        "deliveries": f"{sum(one.deliveries for one in found):,}",
        "- published more than once, under the same key": f"{sum(one.sent_again for one in found):,}",
        "- twice for a receiver that honours keys": f"{sum(one.arrived_twice for one in found):,}",
        "guarantees that did not hold": str(len(wrong)),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    failed = "\n".join(f"- {one}" for one in wrong) or "None."
    return TEMPLATE.read_text().format(table=table, failed=failed, minutes=wall_s / 60, **place)
