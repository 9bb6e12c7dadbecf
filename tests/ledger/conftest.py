"""The makers of what goes into a ledger, and processes that work on one side by side."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.attachments import Attachment, Findings
from contracts.batches import BatchPlan, BatchWork, Scope, batch_id
from contracts.calls import CallFailure, CallIdentity, Purpose, Reply, Usage
from contracts.deliverables import Deliverable, DeliverableKind, Provenance
from contracts.events import Event, Kind, Priority
from ledger.batches import create_batches
from ledger.claims import claim
from ledger.dead_letters import DeadLetter
from ledger.intake import PreparedEvent, prepare_event, record_intake
from ledger.work import Draft, ScoreRow

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Make:
    """Makers of valid values, each with as few arguments as a test needs to say."""

    now: datetime = NOW
    minute: timedelta = MINUTE

    def event(self, number=1, *, tenant="acme", user=None, priority=Priority.HIGH, **fields) -> Event:
        """An event of which `number` is the id."""
        given = {"source": "test", "type": Kind.FEEDBACK, "time": NOW, "feature": "app", "topic": "phones"}
        given |= {"data": {"text": f"words {number}"}} | fields
        return Event(id=str(number), tenant=tenant, user=user, priority=priority, **given)

    def prepared(self, event, line=1) -> PreparedEvent:
        """The event as intake hands it over."""
        return prepare_event(
            event,
            event.model_dump_json(),
            raw=f"{event.id} as it came".encode(),
            tokens=40,
            pipeline="insights",
            line=line,
        )

    def take_in(self, ledger, events, now=NOW) -> list[int]:
        """Record the events; their ledger numbers, which follow the order of intake."""
        counts = record_intake(ledger, "test", [self.prepared(event) for event in events], [], now)
        with ledger.connect() as connection:
            newest = connection.exec_driver_sql("SELECT max(seq) FROM events").scalar() or 0
        return list(range(newest - counts.accepted + 1, newest + 1))

    def plan(self, seqs, *, tenant="acme", user=None, level=Priority.HIGH) -> BatchPlan:
        """A plan for these ledger numbers."""
        scope = Scope.TENANT if user is None else Scope.USER
        identity = batch_id(scope, level, [f"{tenant}|{user}|{seq}".encode() for seq in seqs])
        return BatchPlan(
            id=identity,
            scope=scope,
            tenant=tenant,
            user=user,
            level=level,
            pipeline="insights",
            events=tuple(seqs),
            tokens=40 * len(seqs),
        )

    def ready(self, ledger, number=1, *, tenant="acme", level=Priority.HIGH, now=NOW, events=2) -> str:
        """The id of a READY batch of events of its own; `number` keeps them apart from other batches'."""
        ids = [f"{number}-{index}" for index in range(events)]
        seqs = self.take_in(ledger, [self.event(one, tenant=tenant, priority=level) for one in ids], now)
        plan = self.plan(seqs, tenant=tenant, level=level)
        assert create_batches(ledger, [plan], now) == 1
        return plan.id

    def claimed(self, ledger, number=1, *, lease="lease-1", **batch) -> BatchWork:
        """A batch RUNNING under the lease for ten minutes."""
        identity = self.ready(ledger, number, **batch)
        work = claim(ledger, identity, lease_id=lease, owner="worker", now=NOW, lease_for=10 * MINUTE)
        assert work is not None
        return work

    def call(self, batch, number=1, *, item="insights", **fields) -> CallIdentity:
        """The identity of a call for an item of the batch."""
        given = {
            "id": f"call-{number}",
            "tenant": "acme",
            "user": None,
            "feature": "app",
            "pipeline": "insights",
            "stage": "insights",
            "purpose": Purpose.GENERATE,
            "model": "model-1",
            "prompt_version": "p1",
            "rubric_version": None,
            "request_hash": f"hash-{number}",
            "started_at": NOW,
        }
        return CallIdentity(batch=batch, item=item, **given | fields)

    def reply(self, cost="0.0012", text='{"summary": "fine"}') -> Reply:
        """A paid answer."""
        usage = Usage(input_tokens=100, output_tokens=20, cache_write_tokens=3, cache_read_tokens=4)
        return Reply(
            text=text,
            model="model-1x",
            stop_reason="end_turn",
            usage=usage,
            cost_usd=Decimal(cost),
            latency_ms=12.5,
        )

    def failure(self) -> CallFailure:
        """A call that brought nothing but a cost."""
        return CallFailure(error="Overloaded", message="busy", kind="transient", cost_usd=Decimal("0.0001"))

    def draft(self, item="insights", **fields) -> Draft:
        """A generated item."""
        given = {"stage": "insights", "kind": "insight", "form": "report", "output_type": "InsightReport"}
        given |= {
            "content": {"summary": "fine"},
            "prompt": "insights",
            "prompt_version": "p1",
            "model": "model-1x",
        }
        return Draft(item=item, **given | fields)

    def score(self, criterion="clarity", score=0.9, **fields) -> ScoreRow:
        """One criterion's judgement at a threshold of 0.7."""
        given = {"threshold": 0.7, "passed": score >= 0.7, "reason": "because", "judge_model": "judge-1"}
        return ScoreRow(criterion=criterion, score=score, **given | {"rubric_version": "r1"} | fields)

    def letter(self, batch, **fields) -> DeadLetter:
        """The dead letter of a batch."""
        given = {"stage": "insights", "tenant": "acme", "error": "ValueError", "message": "no"}
        given |= {"traceback": "Traceback ...", "prompt": None, "diagnosis": {"summary": "it broke"}}
        given |= {"cost_usd": Decimal("0.5"), "attempts": 3, "at": NOW}
        given |= {"payload": {"events": [{"id": "1-0"}]}, "verdicts": {"insights": {"clarity": 0.9}}}
        return DeadLetter(**{"id": "x-1", "batch": batch} | given | fields)

    def attachment(self, event=1, version="v1", *, tenant="acme", **fields) -> Attachment:
        """A file of the event with that number, with what was found in it."""
        found = Findings(
            media_type="image/png",
            size=10,
            sha256="00" * 32,
            details={"width": 3},
            text="what it says",
            thumbnail=f"s3://made/{tenant}/{event}/small.webp",
            marked=f"s3://made/{tenant}/{event}/marked.png",
        )
        key = f"attachments/{tenant}/test/{event}/a.png"
        given = {"id": f"a-{tenant}{event}{version}", "source": "test", "event": str(event), "name": "a.png"}
        given |= {"bucket": "inbox", "key": key, "version": version, "is_versioned": True}
        given |= {"stored_at": NOW, "findings": found}
        return Attachment(tenant=tenant, **given | fields)

    def deliverable(self, batch, number=1, **fields) -> Deliverable:
        """A deliverable of the batch."""
        given = {
            "kind": DeliverableKind.INSIGHT,
            "form": "report",
            "title": f"Title {number}",
            "created_at": NOW,
        }
        source = Provenance(
            events=("1",),
            prompt="insights",
            prompt_version="p1",
            rubric_version="r1",
            model="model-1x",
            judge_model="judge-1",
            cost_usd=0.0025,
        )
        return Deliverable(
            id=f"d-{number:04}",
            batch=batch,
            tenant="acme",
            user=None,
            markdown="# fine",
            content={"summary": "fine"},
            scores={"clarity": 0.9},
            provenance=source,
            **given | fields,
        )


@pytest.fixture(scope="session")
def make() -> Make:
    """Makers of valid values."""
    return Make()


WORKER = Path(__file__).with_name("worker.py")
PROCESSES = 3


@pytest.fixture(scope="session")
def worker_processes():
    """Real processes that do tasks of `worker.py`, started once because their imports are dear."""
    with ExitStack() as stack:
        command = [sys.executable, str(WORKER)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        started = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(PROCESSES)]
        yield started
        for one in started:
            one.stdin.close()


@pytest.fixture
def workers(worker_processes):
    """Run a task of `worker.py` in three real processes at once; what each of them answered."""

    def run(task, url):
        for number, one in enumerate(worker_processes):
            one.stdin.write(json.dumps([task, url, number]) + "\n")
        return [json.loads(one.stdout.readline()) for one in worker_processes]

    return run
