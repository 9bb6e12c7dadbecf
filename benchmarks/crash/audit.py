"""The audit of a seed: what the ledger says against what the model's server saw and what arrived as files."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.crash.calls import Accounts, accounts_of
from benchmarks.crash.plan import BROKEN, EVENTS
from benchmarks.crash.world import World
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
LAPSES = """
SELECT batch_id, max(at) AS at FROM batch_history WHERE from_state = 'RUNNING' AND reason LIKE 'the lease of%%ran out'
GROUP BY batch_id"""
PASSED = "SELECT batch_id, item FROM items WHERE verdict = 'passed'"
HOMELESS = "SELECT count(*) FROM events WHERE seq NOT IN (SELECT event_seq FROM batch_events)"
REJECTED = "SELECT count(DISTINCT payload) FROM rejections"
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
    calls: Accounts
    requests: int
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
    rows = _rows(ledger, CALLS)
    seen = [
        request.headers.get("x-penstock-call", "")
        for request in world.model.asked
        if request.method == "POST"
    ]
    killed = (file.read_text().split() for file in world.killed if file.exists())
    lapses = {row.batch_id: row.at for row in _rows(ledger, LAPSES)}
    calls = accounts_of(rows, seen, killed, lapses)
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
            "a request was sent that is not in the ledger": bool(set(seen) - {row.id for row in rows}),
            "a request was sent twice under one id": max(Counter(seen).values(), default=0) > 1,
            f"{calls.paid_twice} answers that were kept were asked for again": calls.paid_twice > 0,
            f"{calls.unexplained} calls without an end were no killed worker's": calls.unexplained > 0,
            f"{calls.unseen} calls have an answer that the model's server never gave": calls.unseen > 0,
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
        calls=calls,
        requests=len(seen),
        deliveries=len(outbox),
        sent_again=sum(attempts - 1 for _, _, attempts in outbox),
        arrived_twice=arrived_twice,
        broken={
            guarantee: found
            for guarantee, asked in checks.items()
            if (found := tuple(what for what, is_so in asked.items() if is_so))
        },
    )


def _arrivals(folder: Path) -> Iterable[str]:
    """The ids of the deliverables that a receiver has, as it reads them."""
    for path in folder.rglob("*.json"):
        yield json.loads(path.read_text())["id"]


def _rows(ledger: Ledger, query: str) -> list[Any]:
    with reading(ledger) as connection:
        return list(connection.exec_driver_sql(query).all())


def _one(ledger: Ledger, query: str) -> int:
    return int(_rows(ledger, query)[0][0])
