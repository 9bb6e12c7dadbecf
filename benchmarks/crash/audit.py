"""The audit of a seed: what the ledger says against what the model's server saw and what arrived as files."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

from benchmarks.crash.plan import BROKEN, EVENTS
from benchmarks.crash.world import DURING_INTAKE, IN_FLIGHT, World
from ledger.engine import Ledger, close_ledger, open_ledger
from ledger.sql import reading
from tasks.delivery import deliverable_id

KEPT = "an acknowledged event is never lost, and a redelivered one never counts twice"
PAID_ONCE = "a paid result is never paid again"
DELIVERED_ONCE = "a deliverable arrives once for its key"
JUDGED = "nothing unjudged leaves"
GUARANTEES = (KEPT, PAID_ONCE, DELIVERED_ONCE, JUDGED)

CALLS = """
SELECT id, batch_id, item, purpose, request_hash, state, started_at, finished_at FROM model_calls
ORDER BY started_at, id"""
PASSED = "SELECT batch_id, item FROM items WHERE verdict = 'passed'"
HOMELESS = "SELECT count(*) FROM events WHERE seq NOT IN (SELECT event_seq FROM batch_events)"
REJECTED = "SELECT count(DISTINCT payload) FROM rejections"
WHY = {
    "STARTED": "was on the wire at a kill",
    "FAILED": "failed by a fault",
    "SUCCEEDED": "was on the wire when the lease of a worker that stood still ran out",
}
TWICE = """
SELECT count(*) FROM (
    SELECT be.event_seq, b.scope, b.level FROM batch_events be JOIN batches b ON b.id = be.batch_id
    GROUP BY be.event_seq, b.scope, b.level HAVING count(*) > 1
) doubled"""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a seed came to. `broken` says of every guarantee that did not hold what shows it; it should be empty."""

    seed: int
    database: str
    kills: tuple[str, ...]
    faults: dict[str, int]
    events: int
    batches: dict[str, int]
    calls: int
    requests: int
    in_doubt: int
    repeated: dict[str, int]
    paid_twice: int
    deliveries: int
    sent_again: int
    arrived_twice: int
    broken: dict[str, tuple[str, ...]]

    @property
    def violations(self) -> tuple[str, ...]:
        """All that does not fit, in words."""
        return tuple(what for found in self.broken.values() for what in found)


def audited(world: World) -> Findings:
    """Compare, and say what does not fit."""
    ledger = open_ledger(world.database_url)
    try:
        return _compared(world, ledger)
    finally:
        close_ledger(ledger)


def _compared(world: World, ledger: Ledger) -> Findings:
    calls = [dict(row._mapping) for row in _rows(ledger, CALLS)]  # noqa: SLF001 - SQLAlchemy's public name for it
    repeated, paid_twice = _repeated(calls)
    in_doubt = sum(call["state"] == "STARTED" for call in calls)
    may_be_in_doubt = IN_FLIGHT * sum(kill != DURING_INTAKE for kill in world.kills)
    seen = [
        request.headers.get("x-penstock-call", "")
        for request in world.model.asked
        if request.method == "POST"
    ]
    outbox = [tuple(row) for row in _rows(ledger, "SELECT idempotency_key, state, attempts FROM outbox")]
    arrived = Counter(_arrivals(world.home / "deliverables"))
    arrived_twice = sum(times - 1 for times in arrived.values())
    judged = {deliverable_id(row.batch_id, row.item) for row in _rows(ledger, PASSED)}
    events = _one(ledger, "SELECT count(*) FROM events")
    checks = {
        KEPT: {
            f"{events} events in the ledger, {EVENTS} were sent": events != EVENTS,
            "rejections are not as many as broken lines": _one(ledger, REJECTED) != BROKEN,
            "an event is in no batch": _one(ledger, HOMELESS) > 0,
            "an event is twice in batches of one scope and level": _one(ledger, TWICE) > 0,
        },
        PAID_ONCE: {
            "a request was sent that is not in the ledger": bool(set(seen) - {call["id"] for call in calls}),
            "a request was sent twice under one id": max(Counter(seen).values(), default=0) > 1,
            f"{paid_twice} answers that were kept were asked for again": paid_twice > 0,
            f"{in_doubt} calls have no end, and at most {may_be_in_doubt} can have been on the wire at a kill": (
                in_doubt > may_be_in_doubt
            ),
        },
        DELIVERED_ONCE: {
            "a message was not published": any(state != "PUBLISHED" for _, state, _ in outbox),
            "what arrived is not what was committed": arrived.keys()
            != {key.split(":")[0] for key, _, _ in outbox},
            "a receiver that honours keys has something twice": arrived_twice > 0,
        },
        JUDGED: {"something arrived that no verdict passed": bool(arrived.keys() - judged)},
    }
    states = Counter(row.state for row in _rows(ledger, "SELECT state FROM batches"))
    return Findings(
        seed=world.plan.seed,
        database=world.plan.database,
        kills=tuple(world.kills),
        faults=dict(world.model.faults),
        events=events,
        batches=dict(states),
        calls=len(calls),
        requests=len(seen),
        in_doubt=in_doubt,
        repeated=repeated,
        paid_twice=paid_twice,
        deliveries=len(outbox),
        sent_again=sum(attempts - 1 for _, _, attempts in outbox),
        arrived_twice=arrived_twice,
        broken={
            guarantee: found
            for guarantee, asked in checks.items()
            if (found := tuple(what for what, is_so in asked.items() if is_so))
        },
    )


def _repeated(calls: Iterable[dict[str, Any]]) -> tuple[dict[str, int], int]:
    """Why requests were sent again, by what became of the one before; and how many were though an answer was kept."""
    groups = defaultdict(list)
    for call in calls:
        groups[call["batch_id"], call["item"], call["purpose"], call["request_hash"]].append(call)
    why: Counter[str] = Counter()
    paid_twice = 0
    for asked in groups.values():
        answered_at = [call["finished_at"] for call in asked if call["state"] == "SUCCEEDED"]
        for before, again in pairwise(asked):
            is_kept = min(answered_at, default=inf) <= again["started_at"]
            paid_twice += is_kept
            why[WHY[before["state"]]] += not is_kept
    return dict(+why), paid_twice


def _arrivals(folder: Path) -> Iterable[str]:
    """The ids of the deliverables that a receiver has, as it reads them."""
    for path in folder.rglob("*.json"):
        yield json.loads(path.read_text())["id"]


def _rows(ledger: Ledger, query: str) -> list[Any]:
    with reading(ledger) as connection:
        return list(connection.exec_driver_sql(query).all())


def _one(ledger: Ledger, query: str) -> int:
    return int(_rows(ledger, query)[0][0])
