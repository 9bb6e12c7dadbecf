"""Claims: one winner, the urgent first, and no tenant before its turn."""

from itertools import chain

from sqlalchemy import select, update

from contracts.batches import BatchState
from contracts.events import Priority
from ledger.batches import create_batches, read_batch
from ledger.claims import claim, claim_next, claim_several
from ledger.due import count_ready, release_due
from ledger.errors import UnreadableBatchError
from ledger.tables import batch_events, events


def claimed_in_order(ledger, make):
    """The ids of all READY batches in the order they are claimed."""
    order = []
    while work := claim_next(
        ledger, lease_id=f"l{len(order)}", owner="w", now=make.now, lease_for=10 * make.minute
    ):
        order.append(work.batch.id)
    return order


def test_a_claim_brings_the_batch_and_its_events(ledger, make):
    """The claimed batch is RUNNING and carries its own events in ledger order."""
    identity = make.ready(ledger, 1, events=3)
    make.ready(ledger, 2, now=make.now + make.minute)
    work = claim_next(ledger, lease_id="l", owner="w", now=make.now, lease_for=make.minute)
    assert (work.batch.id, work.batch.state, work.lease) == (identity, BatchState.RUNNING, "l")
    assert [event.id for event in work.events] == ["1-0", "1-1", "1-2"]


def test_a_batch_is_claimed_by_its_id_only_while_ready(ledger, make):
    """A given batch goes to the first who asks; nobody gets what is not there."""
    identity = make.ready(ledger)
    terms = {"owner": "w", "now": make.now, "lease_for": make.minute}
    assert claim(ledger, identity, lease_id="a", **terms).batch.id == identity
    assert claim(ledger, identity, lease_id="b", **terms) is None
    assert claim(ledger, "none", lease_id="c", **terms) is None
    assert claim_next(ledger, lease_id="d", **terms) is None


def test_higher_lanes_are_served_first(ledger, make):
    """HIGH before MEDIUM before LOW, however old."""
    ids = {
        level: make.ready(ledger, rank, level=level, now=make.now + rank * make.minute)
        for rank, level in enumerate((Priority.LOW, Priority.MEDIUM, Priority.HIGH))
    }
    assert claimed_in_order(ledger, make) == [ids[level] for level in Priority]


def test_no_tenants_spike_starves_another(ledger, make):
    """Tenants take turns within a lane, and a tenant's batches go oldest first."""
    spike = [make.ready(ledger, n, tenant="spike", now=make.now + n * make.minute) for n in range(4)]
    calm = [make.ready(ledger, n, tenant="calm", now=make.now + n * make.minute) for n in range(10, 12)]
    expected = [spike[0], calm[0], spike[1], calm[1], spike[2], spike[3]]
    assert claimed_in_order(ledger, make) == expected


def test_a_bad_neighbour_with_ten_thousand_batches_delays_nobody_by_more_than_one(ledger, make):
    """Whenever the other tenant's one HIGH batch comes, it is the next that is claimed."""
    seqs = make.take_in(ledger, [make.event(n, tenant="spike") for n in range(10_000)])
    assert create_batches(ledger, [make.plan([seq], tenant="spike") for seq in seqs], make.now) == 10_000
    terms = {"owner": "w", "now": make.now, "lease_for": 10 * make.minute}
    for turn in range(3):
        assert claim_next(ledger, lease_id=f"s{turn}", **terms).batch.tenant == "spike"
        calm = make.ready(ledger, f"calm-{turn}", tenant="calm", now=make.now + turn * make.minute)
        assert claim_next(ledger, lease_id=f"c{turn}", **terms).batch.id == calm


def test_a_resumed_batch_keeps_the_time_it_first_started(ledger, make):
    """Started is when work first began, whoever goes on."""
    work = make.claimed(ledger)
    with ledger.connect() as connection:
        before = connection.exec_driver_sql("SELECT started_at FROM batches").scalar()
    late = make.now + 20 * make.minute
    release_due(ledger, late)
    assert claim(ledger, work.batch.id, lease_id="l2", owner="w", now=late, lease_for=make.minute)
    with ledger.connect() as connection:
        assert connection.exec_driver_sql("SELECT started_at FROM batches").scalar() == before


def test_two_claimers_never_share_a_batch(ledger, ledger_url, make, workers):
    """Three processes claiming until nothing is left have every batch once."""
    ids = {make.ready(ledger, number, tenant=f"t{number % 4}", events=1) for number in range(40)}
    claimed = list(chain.from_iterable(one["claimed"] for one in workers("claim_all", ledger_url)))
    assert len(claimed) == len(set(claimed)) == 40
    assert set(claimed) == ids
    assert count_ready(ledger) == 0
    assert {read_batch(ledger, one).state for one in ids} == {BatchState.RUNNING}


def test_several_are_claimed_in_the_turns_that_each_would_have_had(ledger, make):
    """One transaction brings what one claim after the other would: by tenant in turn, oldest first, then no more."""
    spike = [make.ready(ledger, n, tenant="spike", now=make.now + n * make.minute) for n in range(4)]
    calm = [make.ready(ledger, n, tenant="calm", now=make.now + n * make.minute) for n in range(10, 12)]
    terms = {"owner": "w", "now": make.now, "lease_for": make.minute}
    first = claim_several(ledger, lease_ids=["a", "b", "c"], **terms)
    rest = claim_several(ledger, lease_ids=["d", "e", "f", "g"], **terms)
    works = first + rest
    assert [work.batch.id for work in works] == [spike[0], calm[0], spike[1], calm[1], spike[2], spike[3]]
    assert [work.lease for work in works] == ["a", "b", "c", "d", "e", "f"]
    assert all({event.tenant for event in work.events} == {work.batch.tenant} for work in works)


def test_a_batch_that_cannot_be_read_keeps_none_of_the_others_from_being_claimed(ledger, make):
    """It stands among them as the reason why it cannot, claimed like them."""
    ids = [make.ready(ledger, n, now=make.now + n * make.minute) for n in range(3)]
    with ledger.begin() as connection:
        of_second = select(batch_events.c.event_seq).where(batch_events.c.batch_id == ids[1])
        connection.execute(
            update(events).where(events.c.seq.in_(of_second)).values(payload='{"version": 99}')
        )
    terms = {"owner": "w", "now": make.now, "lease_for": make.minute}
    one, unread, two = claim_several(ledger, lease_ids=["a", "b", "c"], **terms)
    assert (one.batch.id, unread.work.batch.id, two.batch.id) == tuple(ids)
    assert isinstance(unread, UnreadableBatchError)
    assert read_batch(ledger, ids[1]).state is BatchState.RUNNING
