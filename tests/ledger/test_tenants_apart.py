"""Tenants apart: no call that the ledger answers for one tenant shows or changes a row of another.

Two tenants have all the same: ids, sources, users, topics, items, requests. Only their words differ.
"""

import importlib
import inspect
import pkgutil
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, select

import ledger as room
from contracts.batches import BatchState
from contracts.calls import Purpose
from contracts.errors import OperatorError
from contracts.events import Priority, event_key
from ledger.attachment_reads import (
    attachment_state,
    attachments_of_batch,
    list_attachments,
    read_attachment,
)
from ledger.attachments import keep_attachment, refuse_attachment
from ledger.batch_reads import (
    batch_diagnosis,
    batch_event_ids,
    batch_history,
    batch_origins,
    read_batch,
)
from ledger.batches import create_batches
from ledger.callbacks import ask_for_callback, callback_state
from ledger.calls import begin_call, count_attempts, count_unusable_verdicts, settle_call
from ledger.claims import claim, release_leases
from ledger.costs import item_costs
from ledger.dead_letters import (
    LetterFilter,
    bury,
    letter_ids,
    list_letters,
    purge_letter,
    purge_letters,
    read_letter,
)
from ledger.deliveries import commit_batch, list_deliverables, read_deliverable
from ledger.erasure import erase_person
from ledger.event_reads import event_status, is_event_erased
from ledger.intake import record_each, record_intake
from ledger.items import read_items, store_draft, store_verdict
from ledger.news import BEGINNING, read_news
from ledger.outbox import give_up, mark_failed
from ledger.outcome_tables import outbox
from ledger.pauses import Switch, pause, resume
from ledger.promotions import promote_events
from ledger.replays import replay_letter
from ledger.sql import reading
from ledger.stages import finish_stage, read_stages, start_stage
from ledger.subscriptions import Subscription, channels_for, make_subscription
from ledger.throttle import reserve_solutions
from ledger.transitions import Settlement, settle_batch, transition

FOR_THE_OPERATOR = frozenset(
    {
        *(
            "list_batches",
            "read_breakers",
            "calls_in_doubt",
            "claim_next",
            "claim_several",
            "costs",
            "count_ready",
        ),
        *(
            "is_release_due",
            "next_due",
            "release_due",
            "close_ledger",
            "fact_days",
            "read_facts",
            "read_frame",
        ),
        *("read_budget", "note_budget", "note_budget_shown"),
        *("read_rejections", "hold_mirror", "leave_mirror", "merge_switches", "note_shown", "has_messages"),
        *("take_messages", "read_pauses", "low_events", "newest_event", "pending_events", "topic_counts"),
        *(
            "bring_up_to_date",
            "forget_signals",
            "take_signals",
            "reading",
            "writing",
            "write_together",
            "collecting",
        ),
        *(
            "measures",
            "newest_fact",
            "ask_for_lanes",
            "unattended_levels",
            "ask_for_another",
            "enter_lane",
            "leave_lane",
        ),
        *("take_ends", "give_back_ends", "read_story", "what_is_stuck", "tell_what_is_stuck"),
        *("wish_for_slots", "forget_wish", "note_slot_lease", "forget_slot_lease", "slot_leases_of"),
        *("make_key", "list_keys", "revoke_key", "holder_of", "signer_of", "is_spent", "spend_signature"),
        *("list_subscriptions", "make_subscription", "read_subscription", "end_subscription"),
        *("take_attachments", "mark_attachments_published", "objects_to_remove", "mark_removed"),
        *("draw_sample", "to_review", "judged_items", "record_review"),
        *("take_callbacks", "settle_callback", "newest_news", "forget_news"),
        *("gate_failures", "status", "tenant_names", "renew_lease", "mark_published", "undelivered"),
    }
)
"""What is asked for the whole installation: it answers with everybody's rows, and says whose each is."""


class Side:
    """One tenant's rows in a ledger, and the calls that are made for that tenant."""

    def __init__(self, ledger, make, tenant: str) -> None:
        self.ledger, self.make, self.tenant, self.words = ledger, make, tenant, f"words-of-{tenant}"
        self.now, self.minutes, self.lease = make.now, 10 * make.minute, f"lease-of-{tenant}"
        self.seqs = make.take_in(ledger, [self.event(number) for number in range(3)])
        self.batch = self.planned(self.seqs[:2], None)
        self.done = self.planned(self.seqs[:1], "ann")
        self.spare = self.planned(self.seqs[2:], None)
        self.made = self.deliverable(1)
        self.letter = make.letter(self.spare, id=f"x-{tenant}", tenant=tenant, message=self.words)
        self.call = make.call(self.batch, tenant=tenant, id=f"call-{tenant}", request_hash="same")
        self.live()

    def live(self) -> None:
        """A batch in hand with a paid answer and a draft, one DONE, a dead letter, a pause."""
        for batch in (self.batch, self.done):
            claim(self.ledger, batch, lease_id=self.lease, owner="w", now=self.now, lease_for=self.minutes)
        begin_call(self.ledger, self.call)
        settle_call(self.ledger, self.call.id, self.make.reply(text=self.words), self.now)
        judged = {"id": f"verdict-{self.tenant}", "purpose": Purpose.JUDGE, "tenant": self.tenant}
        begin_call(self.ledger, self.make.call(self.batch, **judged))
        unusable = self.make.failure().model_copy(update={"kind": "invalid"})
        settle_call(self.ledger, judged["id"], unusable, self.now)
        start_stage(self.ledger, self.batch, "insights", self.now)
        store_draft(self.ledger, self.batch, self.make.draft(content={"summary": self.words}), self.now)
        scores = [self.make.score(reason=self.words)]
        store_verdict(self.ledger, self.batch, "insights", "passed", scores, self.now)
        commit_batch(self.ledger, self.done, self.lease, [self.made], ["files"], self.now)
        bury(self.ledger, self.letter)
        pause(self.ledger, Switch("notices", self.tenant), self.words, self.now)
        self.subscribe()

    def subscribe(self) -> None:
        """Somebody to be sent deliverables, and somebody to be called."""
        target = f"https://{self.tenant}/{self.words}"
        number = f"s-{self.tenant}"
        made = Subscription(number, self.tenant, "webhook", target, self.words, self.now, None)
        make_subscription(self.ledger, made)
        self.key = event_key(self.tenant, "test", "0")
        asked = {"tenant": self.tenant, "url": target, "secret": self.words, "now": self.now}
        ask_for_callback(self.ledger, self.key, **asked)

        self.attached = self.make.attachment(0, tenant=self.tenant, name=self.words)
        keep_attachment(self.ledger, self.attached, self.now, publish=True)

    def event(self, number):
        """A LOW event that the other tenant has too, in other words."""
        given = {"user": "ann", "data": {"text": self.words}, "priority": Priority.LOW}
        return self.make.event(number, tenant=self.tenant, **given)

    def planned(self, seqs, user):
        """A batch of the events."""
        plan = self.make.plan(seqs, tenant=self.tenant, user=user, level=Priority.LOW)
        assert create_batches(self.ledger, [plan], self.now) == 1
        return plan.id

    def deliverable(self, number):
        """A deliverable in this tenant's words."""
        made = self.make.deliverable(self.done, number, title=self.words)
        return made.model_copy(update={"id": f"d-{number}-{self.tenant}", "tenant": self.tenant})

    def messages(self):
        """The numbers of this tenant's messages in the outbox."""
        query = select(outbox.c.id).where(outbox.c.deliverable_id.contains(self.tenant))
        with reading(self.ledger) as connection:
            return list(connection.execute(query).scalars())

    def rows(self) -> set[str]:
        """Every row that is this tenant's, as text."""
        tables = MetaData()
        marks = (self.tenant, self.batch, self.done, self.spare)
        with reading(self.ledger) as connection:
            tables.reflect(connection)
            found = {
                f"{table.name} {tuple(row)}"
                for table in tables.sorted_tables
                for row in connection.execute(select(table))
            }
        pools = tuple(f"pool ({seq}," for seq in self.seqs)
        return {row for row in found if row.startswith(pools) or any(mark in row for mark in marks)}


READS = {
    "read_batch": lambda own: read_batch(own.ledger, own.batch),
    "batch_history": lambda own: batch_history(own.ledger, own.batch),
    "batch_diagnosis": lambda own: batch_diagnosis(own.ledger, own.batch),
    "batch_event_ids": lambda own: batch_event_ids(own.ledger, own.batch),
    "batch_origins": lambda own: batch_origins(own.ledger, own.batch),
    "read_items": lambda own: read_items(own.ledger, own.batch),
    "read_stages": lambda own: read_stages(own.ledger, own.batch),
    "item_costs": lambda own: item_costs(own.ledger, own.batch),
    "count_attempts": lambda own: count_attempts(own.ledger, own.batch, "insights"),
    "count_unusable_verdicts": lambda own: count_unusable_verdicts(own.ledger, own.batch, "insights"),
    "list_deliverables": lambda own: list_deliverables(own.ledger, own.done, 100),
    "read_deliverable": lambda own: read_deliverable(own.ledger, own.made.id),
    "list_letters": lambda own: list_letters(own.ledger, only=LetterFilter(tenant=own.tenant)),
    "letter_ids": lambda own: letter_ids(own.ledger, LetterFilter(tenant=own.tenant)),
    "read_letter": lambda own: read_letter(own.ledger, own.letter.id),
    "is_event_erased": lambda own: is_event_erased(own.ledger, own.key),
    "event_status": lambda own: event_status(own.ledger, own.key.hex(), own.tenant),
    "read_news": lambda own: read_news(own.ledger, BEGINNING, tenant=own.tenant),
    "channels_for": lambda own: channels_for(own.ledger, own.tenant),
    "attachment_state": lambda own: attachment_state(own.ledger, own.attached.id),
    "attachments_of_batch": lambda own: attachments_of_batch(own.ledger, own.batch, 5),
    "list_attachments": lambda own: list_attachments(own.ledger, own.tenant),
    "read_attachment": lambda own: read_attachment(own.ledger, own.attached.id),
    "callback_state": lambda own: callback_state(own.ledger, own.key),
}
WRITES = {
    "keep_attachment": lambda own: keep_attachment(
        own.ledger, own.make.attachment(1, tenant=own.tenant), own.now, publish=False
    ),
    "refuse_attachment": lambda own: refuse_attachment(
        own.ledger,
        own.make.attachment(2, tenant=own.tenant),
        replace(own.letter, id=f"x4-{own.tenant}", batch=None, stage="attachments"),
    ),
    "record_each": lambda own: record_each(
        own.ledger, "again", [own.make.prepared(own.event(n)) for n in range(5)], [], own.now
    ),
    "ask_for_callback": lambda own: ask_for_callback(
        own.ledger,
        event_key(own.tenant, "test", "1"),
        tenant=own.tenant,
        url=f"https://{own.tenant}",
        secret=None,
        now=own.now,
    ),
    "record_intake": lambda own: record_intake(
        own.ledger, "again", [own.make.prepared(own.event(n)) for n in range(5)], [], own.now
    ),
    "create_batches": lambda own: create_batches(
        own.ledger, [own.make.plan(own.other.seqs[:1], tenant=own.tenant, level=Priority.MEDIUM)], own.now
    ),
    "begin_call": lambda own: begin_call(
        own.ledger, own.call.model_copy(update={"id": f"again-{own.tenant}"})
    ),
    "settle_call": lambda own: settle_call(own.ledger, own.call.id, own.make.failure(), own.now),
    "claim": lambda own: claim(
        own.ledger, own.spare, lease_id="l2", owner="w", now=own.now, lease_for=own.minutes
    ),
    "release_leases": lambda own: release_leases(
        own.ledger, {own.batch: own.lease}, reason="told to", now=own.now
    ),
    "store_draft": lambda own: store_draft(own.ledger, own.batch, own.make.draft("other"), own.now),
    "store_verdict": lambda own: store_verdict(own.ledger, own.batch, "insights", "failed", [], own.now),
    "start_stage": lambda own: start_stage(own.ledger, own.batch, "notices", own.now),
    "finish_stage": lambda own: finish_stage(own.ledger, own.batch, "insights", "DONE", None, own.now),
    "commit_batch": lambda own: commit_batch(
        own.ledger, own.batch, own.lease, [own.deliverable(2)], ["files"], own.now
    ),
    "settle_batch": lambda own: settle_batch(
        own.ledger, own.batch, own.lease, Settlement(BatchState.HELD, own.words, own.now), own.now
    ),
    "transition": lambda own: transition(
        own.ledger, own.batch, BatchState.READY, reason="again", now=own.now
    ),
    "bury": lambda own: bury(own.ledger, replace(own.letter, id=f"x2-{own.tenant}")),
    "purge_letter": lambda own: purge_letter(own.ledger, own.letter.id),
    "purge_letters": lambda own: purge_letters(own.ledger, LetterFilter(tenant=own.tenant)),
    "replay_letter": lambda own: replay_letter(own.ledger, own.letter, own.now),
    "promote_events": lambda own: promote_events(
        own.ledger, own.tenant, "phones", [*own.seqs, *own.other.seqs], {"n": 1}, own.now
    ),
    "reserve_solutions": lambda own: reserve_solutions(
        own.ledger, tenant=own.tenant, batch_id=own.batch, count=1, limit=100, window=own.minutes, now=own.now
    ),
    "erase_person": lambda own: erase_person(own.ledger, own.tenant, ["ann"], own.now),
    "pause": lambda own: pause(own.ledger, Switch("insights", own.tenant), own.words, own.now),
    "resume": lambda own: resume(own.ledger, Switch("notices", own.tenant), own.now),
    "mark_failed": lambda own: [
        mark_failed(own.ledger, message, own.words, own.now) for message in own.messages()
    ],
    "give_up": lambda own: [
        give_up(own.ledger, message, replace(own.letter, id=f"x3-{own.tenant}")) for message in own.messages()
    ],
}


def asked_of_the_ledger() -> set[str]:
    """Every public function of the room that takes the ledger."""
    modules = [
        importlib.import_module(f"ledger.{module.name}")
        for module in pkgutil.iter_modules(room.__path__)
        if module.name != "migrations"
    ]
    return {
        name
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if "ledger" in inspect.signature(function).parameters
    }


def test_every_public_function_of_the_ledger_is_on_one_of_the_lists():
    """A new one has to say whether it answers for a tenant, which is then tested, or for the operator."""
    assert asked_of_the_ledger() == READS.keys() | WRITES.keys() | FOR_THE_OPERATOR


pairs = count()


@pytest.fixture
def sides(ledger, make):
    """Makes two tenants with all the same in one ledger, new ones each time."""

    def made() -> tuple[Side, Side]:
        number = next(pairs)
        one, two = (Side(ledger, make, f"{name}{number}") for name in ("acme", "bolt"))
        one.other, two.other = two, one
        return one, two

    return made


def answered(call, side) -> str:
    """What the call says, be it that it refuses."""
    try:
        return repr(call(side))
    except OperatorError as error:
        return str(error)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(sorted({**READS, **WRITES})), min_size=4, max_size=16), first=st.booleans()
)
def test_no_call_for_one_tenant_shows_or_changes_anothers_row(sides, names, first):
    """Whatever is called for one in whatever order: the other is not in the answer, and its rows stay."""
    one, two = sides()
    own, other = (one, two) if first else (two, one)
    before = other.rows()
    assert len(before) > 20
    for name in names:
        assert other.tenant not in answered({**READS, **WRITES}[name], own), name
    assert other.rows() == before


@pytest.mark.parametrize(
    "name", [name for name in READS if name not in {"batch_diagnosis", "item_costs", "is_event_erased"}]
)
def test_each_of_them_does_answer_for_its_own_tenant(sides, name):
    """A call that finds nothing would prove nothing."""
    own, _ = sides()
    assert READS[name](own)


def test_the_same_request_of_another_tenant_is_not_answered_by_what_this_one_paid_for(sides, make):
    """An answer belongs to its batch: another tenant's identical request is sent anew."""
    own, other = sides()
    same = make.call(other.spare, tenant=other.tenant, id=f"new-{other.tenant}", request_hash="same")
    assert begin_call(own.ledger, same) is None
    assert begin_call(own.ledger, own.call.model_copy(update={"id": "again"})).text == own.words


def test_a_batch_never_brings_another_tenants_events(sides, make):
    """Not even where a plan names them: they are not in what its worker is given."""
    own, other = sides()
    seqs = [make.take_in(side.ledger, [side.event(7)])[0] for side in (own, other)]
    forged = make.plan(seqs, tenant=own.tenant, level=Priority.LOW)
    assert create_batches(own.ledger, [forged], make.now) == 1
    work = claim(own.ledger, forged.id, lease_id="f", owner="w", now=make.now, lease_for=own.minutes)
    assert [event.tenant for event in work.events] == [own.tenant]
