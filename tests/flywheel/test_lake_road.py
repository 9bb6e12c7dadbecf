"""The views of an event's road: what arrived, how long batches stayed in each state, what they died of."""

from datetime import UTC, datetime, timedelta

import pytest

import flywheel

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def _at(minutes):
    return NOON + timedelta(minutes=minutes)


def _move(number, batch, state, minutes):
    moved = {"move_id": number, "batch_id": batch, "level": "HIGH", "to_state": state}
    return moved | {"moved_at": _at(minutes)}


def _event(number, tenant, user, kind):
    taken = {"event_seq": number, "tenant": tenant, "user": user, "kind": kind, "priority": "LOW"}
    return taken | {"tokens": 10 * number, "accepted_at": _at(number)}


@pytest.fixture
def road(tmp_path, frame, write):
    """A lake with the moves of two batches, three events, two intakes of one origin and two dead letters."""
    moves = [_move(1, "a", "READY", 0), _move(2, "a", "RUNNING", 2), _move(4, "a", "DONE", 5)]
    moves += [_move(3, "b", "READY", 4)]
    events = [
        _event(1, "acme", "u", "survey"),
        _event(2, "acme", "u", "survey"),
        _event(3, "bolt", None, "alert"),
    ]
    counts = {"origin": "f", "n_read": 3, "n_accepted": 1, "n_duplicates": 1, "n_rejected": 1}
    intakes = [counts | {"intake_id": number, "read_at": _at(number)} for number in (1, 2)]
    died = {"stage": "insights", "error": "ValueError", "cost_usd": 0.5, "n_attempts": 3}
    letters = [
        died | {"letter_id": str(n), "tenant": tenant, "died_at": _at(n)} for n, tenant in enumerate("xy")
    ]
    rows = {"batch_states": moves, "events": events, "intakes": intakes, "dead_letters": letters}
    write(tmp_path, {table: frame(table, found) for table, found in rows.items()})
    with flywheel.connect(tmp_path) as connection:
        yield connection


def test_a_stay_lasts_from_one_move_to_the_next(road):
    """The last one of a batch goes on: no end, no length."""
    stays = road.sql(
        "SELECT batch_id, state, stay_s, left_at IS NULL FROM core_states ORDER BY ALL"
    ).fetchall()
    assert stays == [
        ("a", "DONE", None, True),
        ("a", "READY", 120.0, False),
        ("a", "RUNNING", 180.0, False),
        ("b", "READY", None, True),
    ]


def test_time_in_state_counts_every_stay_and_times_the_ended(road):
    """A batch that waits now is counted as present and does not shorten the median."""
    (ready,) = road.sql("SELECT * FROM out_time_in_state WHERE state = 'READY'").fetchall()
    assert ready == ("HIGH", "READY", 2, 1, 120.0, 120.0, 120.0)


def test_events_are_counted_by_tenant_kind_and_priority(road):
    """Users once each; nobody is no user."""
    found = road.sql("SELECT tenant, kind, n_events, n_users, tokens FROM out_events_by_tenant ORDER BY ALL")
    assert found.fetchall() == [("acme", "survey", 2, 1, 30), ("bolt", "alert", 1, 0, 30)]


def test_an_origin_adds_up_over_its_intakes(road):
    """Read twice, its counts are sums and its time the last."""
    assert road.sql("SELECT * FROM out_intake_by_origin").fetchall() == [("f", 2, 6, 2, 2, 2, _at(2))]


def test_dead_letters_are_counted_by_what_killed_them(road):
    """With the tenants they struck and the money lost."""
    assert road.sql("SELECT * FROM out_dead_letters_by_error").fetchall() == [
        ("insights", "ValueError", 2, 2, 1.0, _at(1))
    ]
