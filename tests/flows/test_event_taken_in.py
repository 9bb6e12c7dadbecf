"""One event by a flow run: an automation's, a form's, or one of Prefect's own."""

from contracts.events import Kind
from flows.intake import take_in_event
from ledger.intake import read_rejections
from ledger.status import status

FAILED_RUN = {
    "id": "0195c2a1-0000-7000-8000-000000000000",
    "occurred": "2026-11-19T08:00:00Z",
    "event": "prefect.flow-run.Failed",
    "resource": {"prefect.resource.id": "prefect.flow-run.1", "prefect.resource.name": "nightly import"},
    "related": [],
    "payload": {"text": "Flow run encountered an exception: the disk is full"},
}
OURS = {"id": "1", "source": "app", "type": "feedback.submitted", "tenant": "acme", "data": {"text": "late"}}


def test_an_event_is_taken_in_once(world):
    """Handed over again it is a duplicate."""
    assert world.run(lambda: take_in_event(OURS)) == "accepted"
    assert world.run(lambda: take_in_event(OURS)) == "duplicate"
    assert status(world.ledger)["events"]["accepted"] == 1


def test_what_happens_in_prefect_may_be_an_event(world):
    """By what the automation says beside it, or by a route; all that Prefect told is kept with it."""
    assert world.run(lambda: take_in_event(FAILED_RUN, tenant="ops", kind=Kind.ALERT)) == "accepted"
    with world.ledger.connect() as connection:
        row = connection.exec_driver_sql("SELECT tenant, kind, payload FROM events").one()
    assert row[:2] == ("ops", "system.alert")
    for words in ("the disk is full", "nightly import", "prefect.flow-run.Failed", "prefect.flow-run.1"):
        assert words in row[2]


def test_what_is_no_event_is_kept_and_fails_no_run(world):
    """An automation that hands over failed runs would start itself for ever; the reason is on record."""
    assert world.run(lambda: take_in_event(FAILED_RUN, tenant="ops")) == "rejected"
    (refused,) = read_rejections(world.ledger, 5)
    assert refused.origin == "prefect"
    assert "type 'prefect.flow-run.Failed' is not known" in refused.reason
    assert "nightly import" in refused.raw
