"""What Prefect's own database keeps of a person, where it cannot be removed."""

import sqlite3
from contextlib import closing

import pytest

from deployments.prefect_data import PrefectDataError, embedded_database, remove_artifacts


def test_a_database_of_another_form_is_refused_by_name_and_left_as_it_was(tmp_path):
    """The message says which file, that words are still in it, and what to do."""
    database = embedded_database(tmp_path)
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE artifact (name TEXT)")
        connection.execute("INSERT INTO artifact VALUES ('outcome-b-1')")
        connection.commit()
        with pytest.raises(PrefectDataError, match=r"prefect\.db could not be changed .*`penstock down`"):
            remove_artifacts(database, ["outcome-b-1"])
        assert connection.execute("SELECT name FROM artifact").fetchall() == [("outcome-b-1",)]


def test_where_there_is_no_database_there_is_nothing_to_remove(tmp_path):
    """An installation that never started a server of its own."""
    assert remove_artifacts(embedded_database(tmp_path), ["outcome-b-1"]) == 0
