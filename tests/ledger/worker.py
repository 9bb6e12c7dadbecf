"""A process of its own for tests of concurrency, told what to do by lines on standard input."""

import json
import sys
from datetime import UTC, datetime, timedelta

from contracts.calls import CallIdentity, Purpose
from contracts.events import Event, Kind, Priority
from ledger.call_rules import CallHeldError
from ledger.claims import claim_next
from ledger.engine import close_ledger, open_ledger
from ledger.intake import prepare_event, record_intake
from ledger.status import status
from ledger.throttle import Reserved, reserve_solutions
from ledger.work import begin_call

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def take_in(ledger, _number):
    """Every process brings the same 300 events, in chunks of 50."""
    counts = []
    for start in range(0, 300, 50):
        chunk = [
            Event(
                id=str(number),
                source="test",
                type=Kind.FEEDBACK,
                tenant="acme",
                priority=Priority.HIGH,
                feature="app",
                topic="phones",
                data={"text": number},
            )
            for number in range(start, start + 50)
        ]
        prepared = [
            prepare_event(one, one.model_dump_json(), raw=b"{}", tokens=1, pipeline="i", line=1)
            for one in chunk
        ]
        counts.append(record_intake(ledger, "test", prepared, [], NOW))
    return {
        "accepted": sum(one.accepted for one in counts),
        "duplicates": sum(one.duplicates for one in counts),
    }


def claim_all(ledger, number):
    """Claim until nothing is READY."""
    claimed = []
    while work := claim_next(
        ledger, lease_id=f"{number}-{len(claimed)}", owner=f"w{number}", now=NOW, lease_for=HOUR
    ):
        claimed.append(work.batch.id)
    return {"claimed": claimed}


def reserve(ledger, number):
    """Ask for one solution for each of this process's batches."""
    with ledger.connect() as connection:
        found = connection.exec_driver_sql("SELECT id FROM batches ORDER BY id").scalars().all()
    mine = found[number::3]
    answers = [
        reserve_solutions(ledger, tenant="acme", batch_id=one, count=1, limit=10, window=HOUR, now=NOW)
        for one in mine
    ]
    return {"granted": sum(isinstance(answer, Reserved) for answer in answers)}


def probe(ledger, number):
    """Try to begin a call of a model whose breaker is due for a probe."""
    identity = CallIdentity(
        id=f"probe-{number}",
        batch="b-1",
        tenant="acme",
        user=None,
        feature="app",
        pipeline="insights",
        stage="insights",
        item="insights",
        purpose=Purpose.GENERATE,
        model="model-1",
        prompt_version="p1",
        rubric_version=None,
        request_hash=f"probe-{number}",
        started_at=NOW + HOUR,
    )
    try:
        begin_call(ledger, identity)
    except CallHeldError:
        return {"began": 0}
    return {"began": 1}


TASKS = {
    "probe": probe,
    "open": lambda ledger, _number: {"accepted": status(ledger)["events"]["accepted"]},
    "take_in": take_in,
    "claim_all": claim_all,
    "reserve": reserve,
}


def main():
    """Do the tasks that come as lines of `[task, url, number]`, and answer each with a line."""
    for line in sys.stdin:
        task, url, number = json.loads(line)
        ledger = open_ledger(url)
        result = TASKS[task](ledger, number)
        close_ledger(ledger)
        print(json.dumps(result), flush=True)  # noqa: T201, the way to speak with the test


if __name__ == "__main__":
    main()
