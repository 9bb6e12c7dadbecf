"""The lake written by a process of its own: the same lake, and no process that outlives who asked for it."""

import asyncio

import psutil
import pytest
from pydantic import SecretStr

import flywheel
from tasks.lake_supply import LakeSupplyError, write_facts, write_facts_apart
from tasks.settings import Settings
from tests.worlds import until


@pytest.fixture
def places(tmp_path, sqlite_url):
    """Makes settings with a home of their own and the same ledger."""
    return lambda name: Settings(home=tmp_path / name, database_url=SecretStr(sqlite_url))


def events_in(settings):
    """What analysts read of the events."""
    with flywheel.connect(settings.lake) as lake:
        return lake.execute("SELECT * FROM raw_events ORDER BY ALL").fetchall()


def test_it_is_the_lake_that_this_process_would_have_written(places, sqlite_ledger, fill, clock):
    """The same files, rows, database and page."""
    here, apart = places("here"), places("apart")
    fill.take_in(sqlite_ledger, fill.events(["one", "two"]))
    written = write_facts(sqlite_ledger, here, clock.now)
    assert asyncio.run(write_facts_apart(apart, clock.now)) == written > 0
    assert events_in(apart) == events_in(here) != []
    assert apart.report.read_text() == here.report.read_text()
    assert (apart.home / "flywheel.duckdb").is_file()


def test_what_its_process_dies_of_is_told(clock, tmp_path):
    """By its last words, without the address of the ledger, which may hold a password."""
    (tmp_path / "file").write_text("no folder")
    settings = Settings(home=tmp_path, database_url=SecretStr(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}"))
    with pytest.raises(LakeSupplyError, match=r"the lake could not be written: .*folder of the ledger"):
        asyncio.run(write_facts_apart(settings, clock.now))


def test_who_is_cancelled_leaves_no_process_behind(places, clock):
    """It ends with the call, not when it is done."""

    def children():
        return {child.pid for child in psutil.Process().children()}

    before = children()

    async def played():
        writing = asyncio.create_task(write_facts_apart(places("left"), clock.now))
        await until(lambda: children() - before)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    asyncio.run(played())
    assert children() <= before
