"""A ledger that may be read and not written: said by name, left as it was, and worked on again when it may be."""

import asyncio
import os

import psycopg
import pytest

from flows.forming import form_batches
from flows.lane import process_ready_batches
from ledger.errors import LedgerFaultError
from ledger.work import calls_in_doubt
from tests.worlds import until

TEXTS = [
    "The phone rings out after five and nobody calls back, so we wait until Monday.",
    "I waited forty minutes on the phone on Tuesday before the call was dropped.",
]


def lane():
    """The lane, ending as a state."""
    return process_ready_batches(return_state=True)


def administer(url, *statements):
    """Change a PostgreSQL database from its server's own."""
    base, _, name = url.partition("?")[0].rpartition("/")
    with psycopg.connect(f"{base}/postgres?{url.partition('?')[2]}", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.format(name=name))


def fail_over(url):
    """What a failover to a standby looks like from here: every connection is cut, and the new ones only read."""
    administer(
        url,
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )


def promote(url):
    """The standby may be written again."""
    administer(
        url,
        "ALTER DATABASE {name} RESET default_transaction_read_only",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )


def test_a_read_only_postgresql_is_read_and_refuses_to_be_written_in_one_line(
    bare, copied_postgres, lines_of
):
    """`status` answers, `ingest` ends with code 3 and what to do; afterwards the same events are taken in."""
    cli = bare.given(PENSTOCK_DATABASE_URL=copied_postgres)
    cli.json("ingest", "-", stdin=lines_of("acme", 2))
    fail_over(copied_postgres)
    said = cli.complaint("ingest", "-", stdin=lines_of("bolt", 2), code=3)
    assert "cannot be written" in said
    assert "read-only transaction" in said
    assert "check that you may write to it" in said
    assert cli.json("status")["events"]["accepted"] == 2
    promote(copied_postgres)
    assert cli.json("ingest", "-", stdin=lines_of("acme", 2) + lines_of("bolt", 2))["accepted"] == 2


def test_a_database_that_becomes_read_only_in_mid_work_ends_the_lane_and_kills_no_batch(
    make_world, copied_postgres, fill, clock
):
    """The lane ends with the fault's name; when it may write again the batch goes on, and kept answers are kept."""
    world = make_world(copied_postgres)
    fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": {"schema": "ActionPlan"}, "play": {"kind": "latency", "seconds": 0.5}}])

    async def failing():
        running = asyncio.create_task(process_ready_batches())
        await until(lambda: "ActionPlan" in world.offline.counts)
        await asyncio.to_thread(fail_over, copied_postgres)
        await running

    with pytest.raises(LedgerFaultError, match=r"read-only|cannot be reached"):
        world.run(failing)
    promote(copied_postgres)
    assert world.rows("SELECT state FROM batches") == [("RUNNING",)]
    in_doubt = calls_in_doubt(world.ledger)
    assert [call.item for call in in_doubt] == ["solutions.1.action_plan"]
    clock.advance(minutes=10)
    assert world.run(form_batches, lane).message == "1 DONE"
    kept = world.rows("SELECT item, purpose, request_hash FROM model_calls WHERE state = 'SUCCEEDED'")
    assert len(kept) == len(set(kept)) == sum(world.offline.counts.values()) - len(in_doubt)
    assert world.rows("SELECT DISTINCT state FROM outbox") == [("PUBLISHED",)]


def test_a_read_only_sqlite_is_one_clear_line_and_left_as_it_was(bare, disk, lines_of):
    """Mounted for reading only: code 3, the path and what to check; mounted for writing again, all is there."""
    path = disk.path / "ledger.db"
    cli = bare.given(PENSTOCK_DATABASE_URL=f"sqlite:///{path}")
    cli.json("ingest", "-", stdin=lines_of("acme", 2))
    before = path.read_bytes()
    disk.set("ro")
    for command in (["ingest", "-"], ["run"]):
        said = cli.complaint(*command, code=3, stdin=lines_of("bolt", 2))
        assert str(path) in said
        assert "you may write to it" in said
    assert path.read_bytes() == before
    disk.set("rw")
    assert cli.json("ingest", "-", stdin=lines_of("acme", 2) + lines_of("bolt", 2))["accepted"] == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to what nobody may write to")
def test_a_sqlite_file_of_another_user_is_one_clear_line(bare, lines_of):
    """Without the right to write: code 3 and what to check."""
    bare.json("ingest", "-", stdin=lines_of("acme", 2))
    (bare.home / "ledger.db").chmod(0o444)
    assert "you may write to it" in bare.complaint("ingest", "-", code=3, stdin=lines_of("bolt", 2))
