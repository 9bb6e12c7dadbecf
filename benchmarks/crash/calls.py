"""The calls of a seed: which were made again and why, and which have no end, by what the model's server saw."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from sqlalchemy import Row

ON_THE_WIRE = "was on the wire, or answered and not yet written down, at a kill"
NEVER_LEFT = "was on record at a kill and never left"
FAILED = "failed by a fault"
STOOD_STILL = "was on the wire when the lease of a worker that stood still ran out"


@dataclass(frozen=True, slots=True)
class Accounts:
    """What a seed's calls come to; `unexplained`, `unseen` and `paid_twice` are zero where nothing is wrong.

    Those without an end are `on_the_wire` or `never_left`; of both, `stood_still` were broken off with a lease that
    ran out, and `most` is how many a single kill left.
    """

    calls: int
    on_the_wire: int
    never_left: int
    stood_still: int
    most: int
    again: dict[str, int]
    paid_twice: int
    unexplained: int
    unseen: int


def accounts_of(
    calls: Sequence[Row], seen: Iterable[str], killed: Iterable[Iterable[str]], lapses: Mapping[str, int]
) -> Accounts:
    """Count the rows of `model_calls`, in the order in which they began.

    `seen` are the ids that reached the model's server, `killed` those that each worker that was killed had begun,
    `lapses` the last time that a batch's lease ran out, by the batch's id.
    """
    reached, theirs = frozenset(seen), [frozenset(begun) for begun in killed]
    open_calls = [call for call in calls if call.state == "STARTED"]
    of_killed = set(chain.from_iterable(theirs))
    living = [call for call in open_calls if call.id not in of_killed]
    stood_still = [call for call in living if lapses.get(call.batch_id, 0) >= call.started_at]
    again, paid_twice = _made_again(calls, reached)
    return Accounts(
        calls=len(calls),
        on_the_wire=sum(call.id in reached for call in open_calls),
        never_left=sum(call.id not in reached for call in open_calls),
        stood_still=len(stood_still),
        most=max((sum(call.id in begun for call in open_calls) for begun in theirs), default=0),
        again=again,
        paid_twice=paid_twice,
        unexplained=len(living) - len(stood_still),
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
