"""Erasing reaches the lake: days of which nothing is left in the ledger go too, with every older version."""

import asyncio
from datetime import timedelta

import flywheel
from contracts.events import Rejection
from flows.erasure import erase_everywhere
from ledger.intake import record_intake
from tasks.lake_supply import write_facts
from tasks.settings import Settings
from tests.stores import in_lake

ANN = "ann@acme.test"


def test_a_day_whose_last_row_was_a_persons_leaves_the_lake(tmp_path, sqlite_ledger, fill, clock):
    """A rejected message alone on its day, and an event on another: neither day's file keeps the name."""
    settings = Settings(home=tmp_path)
    refused = [Rejection(origin="o", line=1, reason=f"user {ANN} is unknown", raw=ANN, tenant=None)]
    record_intake(sqlite_ledger, "o", [], refused, clock.now)
    fill.take_in(sqlite_ledger, fill.events(["words"], user=ANN), now=clock.now + timedelta(days=2))
    write_facts(sqlite_ledger, settings, clock.now)
    assert ANN in in_lake(settings.lake)

    async def no_artifacts(_keys):
        return 0

    asyncio.run(
        erase_everywhere(sqlite_ledger, settings, "acme", [ANN], remove_artifacts=no_artifacts, clock=clock)
    )
    assert ANN not in in_lake(settings.lake)
    assert flywheel.days(settings.lake, "rejections") == []
    assert len(flywheel.days(settings.lake, "events")) == 1
    assert ANN not in settings.report.read_text()
