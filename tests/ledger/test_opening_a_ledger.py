"""Opening: made, migrated, refused or explained, never half done."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, inspect, text

from ledger.engine import close_ledger, open_ledger
from ledger.errors import LedgerUnavailableError, NewerLedgerError
from ledger.schema import HEAD, SCRIPTS
from ledger.sql import reading, writing
from ledger.status import status
from ledger.tables import events, intakes, metadata


def scripts() -> Config:
    """Alembic's view of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def test_head_constant_is_the_head_of_the_scripts():
    """The revision a ledger is compared with is the one its migrations lead to."""
    assert ScriptDirectory.from_config(scripts()).get_current_head() == HEAD


def test_migrations_make_exactly_the_declared_tables(ledger):
    """A migrated database and the declared metadata do not differ."""
    with ledger.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_opening_makes_the_ledger_once_and_finds_it_again(empty_url, make):
    """What is in a ledger is there when it is opened again."""
    first = open_ledger(empty_url)
    make.take_in(first, [make.event()])
    close_ledger(first)
    again = open_ledger(empty_url)
    assert status(again)["events"]["accepted"] == 1
    close_ledger(again)


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_an_older_ledger_is_migrated_and_keeps_its_rows(empty_url, make, revision):
    """A ledger of each earlier revision opens at the head with its events."""
    older = make_at(revision, empty_url)
    put_event(older, make)
    older.dispose()
    migrated = open_ledger(empty_url)
    assert status(migrated)["events"]["accepted"] == 1
    with reading(migrated) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    close_ledger(migrated)


def put_event(engine, make):
    """An event as an earlier version took it in: in the tables that there were then."""
    one = make.prepared(make.event())
    kept = one._asdict()
    row = {name: kept[name] for name in kept if name in events.c}
    with engine.begin() as connection:
        counts = {"read": 1, "accepted": 1, "duplicates": 0, "rejected": 0}
        connection.execute(insert(intakes).values(origin="test", at=make.now, **counts))
        connection.execute(
            insert(events).values(
                {"seq": 1, "accepted_at": make.now, "schema_version": "1"} | row | {"occurred_at": make.now}
            )
        )


def make_at(revision, url):
    """An engine on a database at an earlier revision."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    if url.startswith("sqlite"):
        Path(engine.url.database).parent.mkdir(parents=True)
    config = scripts()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def test_a_newer_ledger_is_refused_and_left_as_it_was(ledger, ledger_url):
    """An unknown revision is named beside ours, and nothing is changed."""
    with writing(ledger) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerLedgerError, match=rf"9999.*{HEAD}"):
        open_ledger(ledger_url)
    with ledger.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_processes_that_open_a_new_ledger_at_once_all_succeed(empty_url, workers):
    """Of many first openers one makes the schema and the others use it."""
    assert workers("open", empty_url) == [{"accepted": 0}] * 3


def test_a_ledger_at_the_head_is_opened_without_alembic(ledger_url):
    """The everyday opening does not pay for the migration machinery."""
    code = (
        "import sys; from ledger.engine import open_ledger, close_ledger;"
        "close_ledger(open_ledger(sys.argv[1])); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, ledger_url], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("not an address", "sqlite:///path"),
        ("mysql://me:secret@host/x", "mysql://me@host/x"),
        ("sqlite://", "sqlite:///path"),
        ("postgresql://me:secret@127.0.0.1:notaport/x", "it cannot be read as one"),
        ("postgresql://me:secret@127.0.0.1:1/x?connect_timeout=2", "me@127.0.0.1:1/x"),
        ("postgresql://me@/x?host=/nowhere&password=secret", "host=%2Fnowhere"),
    ],
)
def test_an_unreachable_ledger_is_one_clear_line_without_a_password(url, named):
    """The message names the address and what to do, and no secret."""
    with pytest.raises(LedgerUnavailableError) as caught:
        open_ledger(url)
    message = str(caught.value)
    assert named in message
    assert "\n" not in message
    assert "secret" not in message


def test_a_file_that_is_no_database_is_not_touched(tmp_path):
    """A text file named by mistake is refused and keeps its text."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, " * 500)
    with pytest.raises(LedgerUnavailableError, match="not a database"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_text() == "my notes, " * 500


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    """A path through a file is answered with the path, not with a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnavailableError, match="folder of the ledger"):
        open_ledger(f"sqlite:///{tmp_path / 'file' / 'sub' / 'ledger.db'}")


def test_a_failed_write_leaves_nothing_behind(ledger):
    """An exception inside a write transaction takes everything in it back."""

    def interrupted() -> None:
        with writing(ledger) as connection:
            connection.execute(text("INSERT INTO turns (tenant, turn, first_at) VALUES ('a', 0, 0)"))
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        interrupted()
    with ledger.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM turns")).scalar() == 0


def test_threads_that_open_new_ledgers_at_once_migrate_each_their_own(tmp_path):
    """Eight ledgers at once in one process: each is whole."""

    def opened(number) -> int:
        ledger = open_ledger(f"sqlite:///{tmp_path}/{number}.db")
        try:
            with ledger.connect() as connection:
                return len(inspect(connection).get_table_names())
        finally:
            close_ledger(ledger)

    with ThreadPoolExecutor(8) as threads:
        counts = set(threads.map(opened, range(8)))
    assert len(counts) == 1
    assert counts.pop() > 10
