"""What Prefect's own database keeps of a person, where it cannot be removed."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from deployments.prefect_data import PrefectDataError, embedded_database, remove_artifacts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "deliverables-b-1"


def made(database, at):
    """An artifact that was made then, as the server keeps it."""
    values = (str(uuid4()), f"{at:%Y-%m-%d %H:%M:%S.%f}", KEY)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO artifact (id, created, updated, key) VALUES (?1, ?2, ?2, ?3)", values)


def told(database):
    """The event of its making, as it comes later."""
    name = "prefect.artifact-collection.created"
    resource = f'{{"prefect.resource.name": "{KEY}"}}'
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(
            "INSERT INTO events (id, occurred, received, recorded, created, updated, event, resource_id, resource,"
            " related_resource_ids, related, payload) VALUES (?1, ?2, ?2, ?2, ?2, ?2, ?3, 'x', ?4, '[]', '[]', '{}')",
            (str(uuid4()), "2026-11-22 12:00:00", name, resource),
        )


@pytest.fixture
def database(tmp_path, with_prefect):
    """The embedded server's, as its first start leaves it."""
    return embedded_database(with_prefect(tmp_path))


def left(database):
    """Artifacts and events that are still there."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(
            "SELECT (SELECT count(*) FROM artifact), (SELECT count(*) FROM events)"
        ).fetchone()


def test_an_event_that_is_still_on_its_way_is_waited_for_and_removed_too(database):
    """It holds what the artifact held, and would come after it."""
    made(database, NOW)
    later = threading.Timer(0.5, told, [database])
    later.start()
    assert remove_artifacts(database, [KEY], NOW) == 1
    later.join()
    assert left(database) == (0, 0)


def test_an_event_that_does_not_come_is_told_and_nothing_is_removed(database):
    """Of what was made some minutes ago none is expected any more: events are kept for a while only."""
    made(database, NOW)
    with pytest.raises(PrefectDataError, match="again in five minutes"):
        remove_artifacts(database, [KEY], NOW, patience_s=0)
    assert left(database) == (1, 0)
    assert remove_artifacts(database, [KEY], NOW + timedelta(minutes=6), patience_s=0) == 1


def test_a_database_of_another_form_is_refused_by_name_and_left_as_it_was(tmp_path):
    """The message says which file, that words are still in it, and what to do."""
    database = embedded_database(tmp_path)
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE artifact (name TEXT)")
        connection.execute("INSERT INTO artifact VALUES ('outcome-b-1')")
        connection.commit()
        with pytest.raises(PrefectDataError, match=r"prefect\.db could not be changed .*`penstock down`"):
            remove_artifacts(database, ["outcome-b-1"], NOW)
        assert connection.execute("SELECT name FROM artifact").fetchall() == [("outcome-b-1",)]


def test_where_there_is_no_database_there_is_nothing_to_remove(tmp_path):
    """An installation that never started a server of its own."""
    assert remove_artifacts(embedded_database(tmp_path), ["outcome-b-1"], NOW) == 0
