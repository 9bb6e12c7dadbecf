"""A disk that is full: a clear end, nothing that was acknowledged is lost, and with room again all is done once."""

import json
import sqlite3
from collections import Counter

import pytest
from sqlalchemy import event

from ledger.engine import close_ledger, open_ledger
from ledger.errors import LedgerFaultError
from ledger.status import status

WRITERS = {"PENSTOCK_RETRY_DELAYS_S": "[0.01]", "PENSTOCK_LEASE_S": "10"}
KB = 1024


def rows(path, query):
    """What a ledger's file answers."""
    with sqlite3.connect(path) as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_intake_on_a_full_disk_keeps_whole_chunks_and_goes_on_when_there_is_room(bare, disk, lines_of):
    """Exit code 3 and one line that says what to do; taken in again, every event is there once."""
    cli = bare.given(PENSTOCK_DATABASE_URL=f"sqlite:///{disk.path / 'ledger.db'}")
    cli.json("ingest", "-", stdin=lines_of("acme", 5))
    disk.fill_up(leave=256 * KB)
    many = lines_of("bolt", 30_000)
    said = cli.complaint("ingest", "-", stdin=many, code=3)
    assert "the disk of the ledger" in said
    assert "is full" in said
    assert "free some space" in said
    disk.make_room()
    kept = cli.json("status")["events"]["accepted"]
    assert kept in {5, 10_005, 20_005}
    disk.set("size=256m")
    counts = cli.json("ingest", "-", stdin=many)
    assert (counts["accepted"], counts["duplicates"], counts["rejected"]) == (30_005 - kept, kept - 5, 0)


def test_a_run_on_a_full_disk_ends_clearly_and_the_next_pays_for_no_kept_answer(cli, disk, lines_of, offline):
    """Exit code 3 at whatever call the disk fills; with room again all is DONE and every deliverable has arrived."""
    path = disk.path / "ledger.db"
    cli = cli.given(PENSTOCK_DATABASE_URL=f"sqlite:///{path}", **WRITERS)
    cli.json("ingest", "-", stdin=lines_of("acme", 2) + lines_of("bolt", 2))
    disk.fill_up(leave=600 * KB)
    said = cli.complaint("run", "--until-idle", "--flush", code=3)
    assert "is full" in said
    assert offline.requests, "the disk filled in mid-work"
    disk.make_room()
    held = rows(path, "SELECT state FROM batches WHERE state NOT IN ('READY', 'RUNNING')")
    assert held == [], "no batch died of it"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE batches SET lease_until = 0 WHERE state = 'RUNNING'")
    database.close()
    done = cli.json("run", "--until-idle", "--flush")
    assert done["batches"]["by_state"].keys() == {"DONE"}
    asked = {one.headers["x-penstock-call"] for one in offline.requests if one.method == "POST"}
    calls = rows(path, "SELECT item, batch_id, purpose, request_hash, state FROM model_calls")
    answered = Counter(call[:-1] for call in calls if call[-1] == "SUCCEEDED")
    assert set(answered.values()) == {1}, "a kept answer was asked for again"
    assert len(asked) == len(calls)
    assert rows(path, "SELECT DISTINCT state FROM outbox") == [("PUBLISHED",)]
    arrived = [json.loads(one.read_text())["id"] for one in (cli.home / "deliverables").rglob("*.json")]
    assert sorted(arrived) == sorted(one for (one,) in rows(path, "SELECT id FROM deliverables"))


def test_deliverables_that_find_no_room_wait_in_the_outbox_and_are_named(cli, disk, lines_of):
    """The batches are DONE, the run says that something could not leave and why, and exit code 1 says look."""
    cli.home.mkdir()
    (cli.home / "deliverables").symlink_to(disk.path)
    disk.fill_up()
    cli.json("ingest", "-", stdin=lines_of("acme", 1))
    said = " ".join(cli("run", "--until-idle", "--flush", code=1).stdout.split())
    assert "could not be delivered yet" in said
    assert "No space left on device" in said
    found = cli.json("status")
    assert found["batches"]["by_state"].keys() == {"DONE"}
    assert found["undelivered"] > 0
    disk.make_room()
    assert list(disk.path.rglob(".*")) == [], "no half-written draft is left behind"
    with sqlite3.connect(cli.home / "ledger.db") as database:
        database.execute("UPDATE outbox SET next_at = 0")
    database.close()
    assert cli.json("run")["undelivered"] == 0
    assert len(list(disk.path.rglob("*.md"))) == found["undelivered"]


@pytest.mark.parametrize("pages", [0, 2])
def test_a_ledger_that_may_not_grow_keeps_what_it_has_and_takes_nothing_by_halves(sqlite_url, fill, pages):
    """SQLite's own limit, where no disk can be mounted: a chunk is in as a whole or not at all."""
    ledger = open_ledger(sqlite_url)
    fill.take_in(ledger, fill.events(["The phone is dead."]))
    with ledger.connect() as connection:
        most = connection.exec_driver_sql("PRAGMA page_count").scalar() + pages
    close_ledger(ledger)
    event.listen(ledger, "connect", lambda driver, _: driver.execute(f"PRAGMA max_page_count={most}"))
    with pytest.raises(LedgerFaultError, match="database or disk is full"):
        fill.take_in(ledger, fill.events(["x" * 10_000] * 20))
    assert status(ledger)["events"]["accepted"] == 1
    close_ledger(ledger)
    again = open_ledger(sqlite_url)
    fill.take_in(again, fill.events(["x" * 10_000] * 20))
    assert status(again)["events"]["accepted"] == 21
    close_ledger(again)


def test_a_server_whose_disk_is_full_is_named_so_and_takes_nothing_by_halves(copied_postgres, fill):
    """PostgreSQL's own word for it, SQLSTATE 53100, in the middle of a chunk; with room the same chunk is in."""
    ledger = open_ledger(copied_postgres)
    with ledger.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON pool FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    with pytest.raises(LedgerFaultError, match=r"disk of the ledger .* is full .*could not extend file"):
        fill.take_in(ledger, fill.events(["The phone is dead."]))
    assert status(ledger)["events"]["accepted"] == 0
    with ledger.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full_disk ON pool")
    fill.take_in(ledger, fill.events(["The phone is dead."]))
    assert status(ledger)["events"]["accepted"] == 1
    close_ledger(ledger)
