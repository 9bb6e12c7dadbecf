from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.batches import BatchPlan, Scope, batch_id
from contracts.events import Priority
from ledger.pools import BITS
from tasks.batching import (
    PENDING_SCHEMA,
    BatchPolicy,
    LevelPolicy,
    ScopePolicy,
    closing_now,
    next_close,
    plan_batches,
)

NOW = datetime(2024, 5, 7, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
LEVELS = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)


def event(seq, priority=Priority.LOW, age=timedelta(0), *, tenant="acme", user=None, tokens=10, **more):
    """One pending event as a row; its key is a hash, so that key order is not ledger order."""
    return {
        "seq": seq,
        "key": sha256(str(seq).encode()).digest()[:16],
        "tenant": tenant,
        "user": user,
        "priority": priority.rank,
        "accepted_at": NOW - age,
        "tokens": tokens,
        "pipeline": "feedback",
        "batched": 0,
    } | more


def frame(rows):
    """Rows as the ledger gives them."""
    return pl.DataFrame(rows, schema=PENDING_SCHEMA)


def levels(high, medium, low):
    """A scope's policy from three (threshold, age) pairs."""
    high, medium, low = (LevelPolicy(threshold=count, max_age=age) for count, age in (high, medium, low))
    return ScopePolicy(high=high, medium=medium, low=low)


PATIENT = levels((1000, timedelta(days=1)), (1000, timedelta(days=2)), (1000, timedelta(days=3)))


@st.composite
def pending_rows(draw):
    """A few tenants and users, ages around the boundaries, some events already in some batches."""
    count = draw(st.integers(0, 18))
    rows = []
    for seq in range(count):
        user = draw(st.sampled_from([None, "ann", "bob"]))
        scopes = [Scope.TENANT] if user is None else list(Scope)
        priority = draw(st.sampled_from(LEVELS))
        bits = [BITS[scope, level] for scope in scopes for level in LEVELS if level.rank <= priority.rank]
        batched = sum(draw(st.lists(st.sampled_from(bits), unique=True, max_size=2)))
        age = draw(st.sampled_from([0, 1, 2, 3, 5, -1])) * MINUTE
        more = {"pipeline": draw(st.sampled_from(["feedback", "documents"])), "batched": batched}
        tenant, tokens = draw(st.sampled_from(["acme", "bolt"])), draw(st.integers(0, 12))
        rows.append(event(seq, priority, age, tenant=tenant, user=user, tokens=tokens, **more))
    return rows


level_policies = st.builds(
    LevelPolicy,
    threshold=st.integers(1, 8),
    max_age=st.sampled_from([0, 1, 2, 3, 9]).map(lambda n: n * MINUTE),
)
scope_policies = st.builds(ScopePolicy, high=level_policies, medium=level_policies, low=level_policies)
policies = st.builds(
    BatchPolicy,
    tenant=scope_policies,
    user=scope_policies,
    max_events=st.integers(1, 6),
    max_tokens=st.integers(1, 30),
)
examples = settings(max_examples=25)


def plan_slowly(rows, policy, now):
    """The rule word by word, one event at a time: what the fast planner must agree with."""
    plans = []
    for scope in Scope:
        pools = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row["accepted_at"], row["key"])):
            if scope is Scope.TENANT:
                pools[row["tenant"], None, row["pipeline"]].append(row)
            elif row["user"] is not None:
                pools[row["tenant"], row["user"], row["pipeline"]].append(row)
        for pool in sorted(pools, key=str):
            plans += pool_slowly(pool, pools[pool], scope, policy, now)
    return plans


def pool_slowly(pool, rows, scope, policy, now):
    """The batches of one pool, most urgent level first."""
    plans = []
    in_a_batch = {row["seq"] for row in rows if any(row["batched"] & BITS[scope, level] for level in LEVELS)}
    for level in LEVELS:
        when = policy.of(scope).at(level)
        waiting = [
            row for row in rows if row["priority"] >= level.rank and not row["batched"] & BITS[scope, level]
        ]
        ages = [
            max(now - row["accepted_at"], timedelta(0)) for row in waiting if row["seq"] not in in_a_batch
        ]
        if len(waiting) >= when.threshold or (ages and max(ages) >= when.max_age):
            in_a_batch |= {row["seq"] for row in waiting}
            plans += [plan_of(pool, part, scope, level) for part in split_slowly(waiting, policy)]
    return plans


def split_slowly(rows, policy):
    """Greedy in order: a part is closed when one more event would not fit."""
    parts = []
    for row in rows:
        last = parts[-1] if parts else []
        fits = len(last) < policy.max_events and tokens_of(last) + row["tokens"] <= policy.max_tokens
        if last and fits:
            last.append(row)
        else:
            parts.append([row])
    return parts


def tokens_of(rows):
    """The tokens of some events together."""
    return sum(row["tokens"] for row in rows)


def plan_of(pool, rows, scope, level):
    """The batch of these events."""
    tenant, user, pipeline = pool
    return BatchPlan(
        id=batch_id(scope, level, [row["key"] for row in rows]),
        scope=scope,
        tenant=tenant,
        user=user,
        level=level,
        pipeline=pipeline,
        events=tuple(row["seq"] for row in rows),
        tokens=tokens_of(rows),
    )


def applied(rows, plans):
    """The rows after the ledger has stored these batches."""
    bits = Counter()
    for plan in plans:
        for seq in plan.events:
            bits[seq] |= BITS[plan.scope, plan.level]
    return [row | {"batched": row["batched"] | bits[row["seq"]]} for row in rows]


@settings(max_examples=120)
@given(pending_rows(), policies)
def test_the_plan_is_the_rule_word_by_word(rows, policy):
    """The fast planner makes exactly the batches of the plain one, urgent levels first."""
    plans = plan_batches(frame(rows), policy, NOW)
    slow = plan_slowly(rows, policy, NOW)
    assert plans == sorted(slow, key=lambda plan: -plan.level.rank)


@examples
@given(pending_rows(), policies)
def test_no_event_is_lost_by_a_flush(rows, policy):
    """Closing now leaves every event in at least one batch of each scope it belongs to."""
    plans = plan_batches(frame(rows), closing_now(policy), NOW)
    for row in applied(rows, plans):
        for scope in [Scope.TENANT] if row["user"] is None else list(Scope):
            assert any(row["batched"] & BITS[scope, level] for level in LEVELS)


@examples
@given(pending_rows(), policies)
def test_no_event_is_twice_in_batches_of_a_scope_and_level(rows, policy):
    """An event is planned once a scope and level at most, and never where it already is."""
    plans = plan_batches(frame(rows), policy, NOW)
    placed = Counter((plan.scope, plan.level, seq) for plan in plans for seq in plan.events)
    assert all(times == 1 for times in placed.values())
    assert not any(rows[seq]["batched"] & BITS[scope, level] for scope, level, seq in placed)


@examples
@given(pending_rows(), policies)
def test_tenants_users_pipelines_and_lower_priorities_never_mix(rows, policy):
    """A batch holds one tenant's, or one user's, events of one pipeline and of its level or above."""
    for plan in plan_batches(frame(rows), policy, NOW):
        for seq in plan.events:
            assert (rows[seq]["tenant"], rows[seq]["pipeline"]) == (plan.tenant, plan.pipeline)
            assert plan.user == (rows[seq]["user"] if plan.scope is Scope.USER else None)
            assert rows[seq]["priority"] >= plan.level.rank


@examples
@given(pending_rows().flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), policies)
def test_the_plan_is_independent_of_row_order(both, policy):
    """The same events in another order are the same batches in the same order."""
    rows, shuffled = both
    assert plan_batches(frame(rows), policy, NOW) == plan_batches(frame(shuffled), policy, NOW)


@examples
@given(pending_rows(), policies)
def test_a_stored_plan_leaves_nothing_to_plan(rows, policy):
    """Once the plan's batches are stored, planning again at the same time plans nothing."""
    plans = plan_batches(frame(rows), policy, NOW)
    assert plan_batches(frame(applied(rows, plans)), policy, NOW) == []


@examples
@given(pending_rows(), policies)
def test_splits_respect_count_and_token_budget(rows, policy):
    """No batch has more than its events or tokens, but for a single event that is too large by itself."""
    for plan in plan_batches(frame(rows), policy, NOW):
        assert 1 <= len(plan.events) <= policy.max_events
        assert plan.tokens == tokens_of([rows[seq] for seq in plan.events])
        assert plan.tokens <= policy.max_tokens or len(plan.events) == 1


@examples
@given(pending_rows(), policies)
def test_the_next_close_is_the_first_moment_an_age_closes_a_batch(rows, policy):
    """With thresholds out of reach, a batch closes at that moment and none closes before it."""
    patient = {
        scope.value: ScopePolicy(
            **{
                name: LevelPolicy(threshold=1000, max_age=max(level.max_age, MINUTE))
                for name, level in policy.of(scope)
            }
        )
        for scope in Scope
    }
    policy = policy.model_copy(update=patient)
    due = next_close(frame(rows), policy)
    if due is None:
        assert plan_batches(frame(rows), closing_now(policy), NOW) == []
    else:
        assert plan_batches(frame(rows), policy, due) != []
        assert plan_batches(frame(rows), policy, due - TICK) == []


@pytest.mark.parametrize(("count", "closed"), [(3, 0), (4, 4), (5, 5)])
@pytest.mark.parametrize("level", LEVELS)
def test_the_threshold_is_exact(level, count, closed):
    """One event fewer than the threshold stays; at the threshold and above the whole set closes."""
    full = {lvl: (4 if lvl is level else 1000, timedelta(days=9)) for lvl in LEVELS}
    policy = BatchPolicy(tenant=levels(*full.values()), user=PATIENT)
    plans = plan_batches(frame([event(seq, level) for seq in range(count)]), policy, NOW)
    assert [(plan.level, len(plan.events)) for plan in plans] == ([(level, closed)] if closed else [])


@pytest.mark.parametrize(("early", "closed"), [(TICK, []), (timedelta(0), [(0, 1)]), (-TICK, [(0, 1)])])
def test_the_age_is_exact_and_takes_younger_events_along(early, closed):
    """A microsecond too young stays; as old as the age, the whole pending set closes."""
    rows = [event(0, age=timedelta(days=3) - early), event(1, age=MINUTE)]
    plans = plan_batches(frame(rows), BatchPolicy(tenant=PATIENT, user=PATIENT), NOW)
    assert [plan.events for plan in plans] == closed


def test_a_high_event_counts_toward_medium_and_low():
    """One HIGH, one MEDIUM and one LOW event reach a threshold of one, two and three."""
    day = timedelta(days=1)
    policy = BatchPolicy(tenant=levels((1, day), (2, day), (3, day)), user=PATIENT)
    rows = [event(seq, level, age=(3 - seq) * MINUTE) for seq, level in enumerate(LEVELS)]
    plans = plan_batches(frame(rows), policy, NOW)
    assert [(plan.level, plan.events) for plan in plans] == [
        (Priority.HIGH, (0,)),
        (Priority.MEDIUM, (0, 1)),
        (Priority.LOW, (0, 1, 2)),
    ]


def test_an_event_already_in_a_batch_is_never_too_old():
    """What closed at HIGH, just now or before, no longer makes MEDIUM and LOW close by age."""
    old = [event(0, Priority.HIGH, age=timedelta(days=5))]
    policy = BatchPolicy(tenant=PATIENT, user=PATIENT)
    plans = plan_batches(frame(old), policy, NOW)
    assert [plan.level for plan in plans] == [Priority.HIGH]
    assert plan_batches(frame(applied(old, plans)), policy, NOW) == []
    assert next_close(frame(applied(old, plans)), policy) is None


def test_a_users_events_are_in_the_users_and_the_tenants_batches():
    """An event with a user joins both pools at once; one without is the tenant's alone."""
    rows = [event(0, user="ann", age=MINUTE), event(1)]
    plans = plan_batches(frame(rows), closing_now(BatchPolicy()), NOW)
    assert [(plan.scope, plan.user, plan.events) for plan in plans] == [
        (Scope.TENANT, None, (0, 1)),
        (Scope.USER, "ann", (0,)),
    ]


def test_nothing_pending_is_nothing_planned():
    """An empty frame has no batches and no next close."""
    assert plan_batches(frame([]), BatchPolicy(), NOW) == []
    assert next_close(frame([]), BatchPolicy()) is None


def test_another_time_zone_is_the_same_moment():
    """`now` may be in any zone; columns that are not the rule's are left alone."""
    zoned = NOW.astimezone(tz=datetime.fromisoformat("2024-05-07T12:00:00+05:00").tzinfo)
    pending = frame([event(0)]).with_columns(row=pl.lit(7), loose=pl.lit("kept"))
    flush = closing_now(BatchPolicy())
    assert plan_batches(pending, flush, zoned) == plan_batches(frame([event(0)]), flush, NOW)


@pytest.mark.parametrize(
    ("pending", "now", "said"),
    [
        (frame([event(0)]), NOW.replace(tzinfo=None), "no time zone"),
        (frame([event(0)]).drop("tokens"), NOW, "tokens"),
        (frame([event(0)]).cast({"priority": pl.Int64}), NOW, "priority"),
        (frame([event(0, tokens=-1)]), NOW, "tokens are not negative"),
        (frame([event(0) | {"priority": 4}]), NOW, "priority 1 to 3"),
        (frame([event(0, key=b"short")]), NOW, "key is 16 bytes"),
        (frame([event(0, tenant=None)]), NOW, "only user may be null"),
    ],
)
def test_events_that_cannot_be_batched_are_refused_by_name(pending, now, said):
    """A wrong column, value or time is an error that says which, and never a lost event."""
    with pytest.raises(ValueError, match=said):
        plan_batches(pending, BatchPolicy(), now)
