import subprocess
import sys
from datetime import date

import duckdb
import pytest

import flywheel
from flywheel import LakeNotFoundError

COUNT = "SELECT count(*) FROM core_items"

OPEN_AGAIN_AND_AGAIN = """
import sys, duckdb
print("ready", flush=True)
counts = set()
for _ in range(20):
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        counts |= set(connection.sql("SELECT count(*) FROM core_items").fetchall())
print(sorted(count for count, in counts))
"""

ASK_ONCE = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(connection.sql("SELECT count(*), count(DISTINCT day) FROM core_items").fetchall())
    print(connection.sql("SELECT count(pass_rate_low) FROM out_pass_rate_by_stage").fetchall())
    words = "SELECT comment FROM duckdb_columns() WHERE table_name = 'core_calls' AND column_name = "
    print(connection.sql(words + "'cost_usd'").fetchall())
"""


def python(script, path, **options):
    """A second process that runs the script on a published file."""
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_a_home_and_its_lake_folder_open_the_same_lake(lake):
    """`connect` takes either, as a path or as text."""
    for root in (lake, lake.parent, str(lake.parent)):
        with flywheel.connect(root) as connection:
            assert connection.sql(COUNT).fetchall() == [(90,)]


def test_the_home_in_the_environment_is_the_default(lake, monkeypatch):
    """PENSTOCK_HOME says where the lake is when nobody else does."""
    monkeypatch.setenv("PENSTOCK_HOME", str(lake.parent))
    assert flywheel.find_lake() == lake.resolve()


def test_the_nearest_home_above_is_the_default_without_one(lake, monkeypatch, tmp_path):
    """A notebook below a project finds the project's `.penstock`."""
    monkeypatch.delenv("PENSTOCK_HOME", raising=False)
    lake.parent.rename(tmp_path / ".penstock")
    below = tmp_path / "notebooks" / "mine"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert flywheel.find_lake() == (tmp_path / ".penstock" / "lake").resolve()


def test_without_a_lake_one_line_says_what_to_do(tmp_path, monkeypatch):
    """A missing folder, a home without a lake and a file are each refused by path, with the next step."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.db").touch()
    for root in (tmp_path / "nowhere", tmp_path / "home", tmp_path / "home" / "ledger.db"):
        with pytest.raises(LakeNotFoundError, match="`penstock run` writes one") as refusal:
            flywheel.connect(root)
        assert str(root) in str(refusal.value)
    monkeypatch.delenv("PENSTOCK_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LakeNotFoundError, match=r"\.penstock"):
        flywheel.connect()


def test_a_published_file_needs_nothing_but_duckdb(lake, tmp_path):
    """Another process, from anywhere, opens it read-only and finds views, macros and words."""
    target = tmp_path / "out" / "flywheel.duckdb"
    flywheel.publish(lake.parent, target)
    (tmp_path / "elsewhere").mkdir()
    reader = python(ASK_ONCE, target, cwd=tmp_path / "elsewhere")
    said, complaints = reader.communicate(timeout=60)
    assert said.splitlines() == ["[(90, 3)]", "[(4,)]", "[('[USD] Price of the call',)]"], complaints


def test_a_published_file_may_be_attached_under_any_name(lake, tmp_path):
    """The views find each other and their macros inside whatever the file is called."""
    target = tmp_path / "flywheel.duckdb"
    flywheel.publish(lake, target)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{target}' AS other (READ_ONLY)")
        assert connection.sql("SELECT sum(n_scored)::INT FROM other.out_pass_rate_by_tenant").fetchall() == [
            (81,)
        ]


def test_publishing_again_never_disturbs_who_opens_it(lake, facts, tmp_path, write):
    """A process that keeps opening the file while it is published anew always finds a whole one."""
    target = tmp_path / "flywheel.duckdb"
    flywheel.publish(lake, target)
    reader = python(OPEN_AGAIN_AND_AGAIN, target)
    assert reader.stdout.readline() == "ready\n"
    made = facts["generations"]
    for number in range(5):
        write(lake, {"generations": made.head(20 + number)})
        flywheel.publish(lake, target)
    said, complaints = reader.communicate(timeout=60)
    assert reader.returncode == 0, complaints
    assert sum(eval_counts(said)) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flywheel.duckdb", "home"]


def eval_counts(said):
    """The counts a reader printed as a list."""
    return [int(count) for count in said.strip().strip("[]").split(", ")]


def test_a_refused_publication_leaves_the_last_one(lake, tmp_path):
    """Where there is no lake to show, the file that is there stays as it is."""
    target = tmp_path / "flywheel.duckdb"
    flywheel.publish(lake, target)
    before = target.read_bytes()
    with pytest.raises(LakeNotFoundError):
        flywheel.publish(tmp_path / "nowhere", target)
    assert target.read_bytes() == before


def test_a_connection_keeps_showing_the_lake_it_was_opened_on(lake, frame):
    """Figures do not shift within a notebook's run; a new connection sees what has come since."""
    with flywheel.connect(lake) as connection:
        flywheel.write_day(lake, "generations", date(2024, 5, 1), frame("generations", []))
        assert connection.sql(COUNT).fetchall() == [(90,)]
    with flywheel.connect(lake) as connection:
        assert connection.sql(COUNT).fetchall() != [(90,)]
