"""The calls of a seed: which were made again and why, and which have no end, by what the model's server saw."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import Row

from benchmarks.crash.world import DURING_INTAKE, IN_FLIGHT, REQUEST_TIMEOUT_S, Death
from ledger.columns import from_micros

ON_THE_WIRE = "was on the wire at a kill"
NEVER_LEFT = "was on record at a kill and never left"
FAILED = "failed by a fault"
STOOD_STILL = "was on the wire when the lease of a worker that stood still ran out"

NOTICED_S = 5.0
"""How much later than it happened a death may be seen on a machine that is full."""
WIRE = timedelta(seconds=REQUEST_TIMEOUT_S + NOTICED_S)


@dataclass(frozen=True, slots=True)
class Accounts:
    """What a seed's calls come to; `unexplained`, `unseen` and `paid_twice` are zero where nothing is wrong."""

    calls: int
    on_the_wire: int
    never_left: int
    again: dict[str, int]
    paid_twice: int
    unexplained: int
    unseen: int


def accounts_of(calls: Sequence[Row], seen: Iterable[str], deaths: Iterable[Death]) -> Accounts:
    """Count the rows of `model_calls`, in the order in which they began; `seen` are the ids that reached the server."""
    reached = frozenset(seen)
    open_calls = [call for call in calls if call.state == "STARTED"]
    again, paid_twice = _made_again(calls, reached)
    return Accounts(
        calls=len(calls),
        on_the_wire=sum(call.id in reached for call in open_calls),
        never_left=sum(call.id not in reached for call in open_calls),
        again=again,
        paid_twice=paid_twice,
        unexplained=_unexplained(open_calls, deaths),
        unseen=sum(call.state == "SUCCEEDED" and call.id not in reached for call in calls),
    )


def _made_again(calls: Iterable[Row], reached: frozenset[str]) -> tuple[dict[str, int], int]:
    """Why calls were made again, by what became of the one before; and how many were though an answer was kept."""
    groups = defaultdict(list)
    for call in calls:
        groups[call.batch_id, call.item, call.purpose, call.request_hash].append(call)
    why: Counter[str] = Counter()
    paid_twice = 0
    for asked in groups.values():
        kept_at = min((call.finished_at for call in asked if call.state == "SUCCEEDED"), default=None)
        for before, after in pairwise(asked):
            is_kept = kept_at is not None and kept_at <= after.started_at
            paid_twice += is_kept
            why[_fate(before, reached)] += not is_kept
    return dict(+why), paid_twice


def _fate(call: Row, reached: frozenset[str]) -> str:
    if call.state == "STARTED":
        return ON_THE_WIRE if call.id in reached else NEVER_LEFT
    return {"FAILED": FAILED, "SUCCEEDED": STOOD_STILL}[call.state]


def _unexplained(open_calls: Iterable[Row], deaths: Iterable[Death]) -> int:
    """Calls without an end that no death explains: of those begun just before it, each explains `IN_FLIGHT`."""
    room = [[death.at, IN_FLIGHT] for death in deaths if death.point != DURING_INTAKE]
    room.sort()
    unexplained = 0
    for call in open_calls:
        begun = from_micros(call.started_at)
        # The earliest that fits: a later one may have to explain a later call.
        death = next((one for one in room if one[1] and begun <= one[0] <= begun + WIRE), None)
        if death is None:
            unexplained += 1
        else:
            death[1] -= 1
    return unexplained
