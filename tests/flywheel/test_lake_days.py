import os
import threading
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

import flywheel
from flywheel import LakeSchemaError, days, write_day
from flywheel.lake import KEEP, present_versions

DAY = date(2024, 5, 1)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def batches(frame):
    """A maker of frames of `n` batches that all carry `size`."""
    return lambda n, size: frame(
        "batches", [{"batch_id": f"b-{row}", "size": size, "created_at": NOON} for row in range(n)]
    )


def test_a_day_is_read_back_as_it_was_written(tmp_path, batches):
    """Any Parquet reader finds the day's rows at the documented path."""
    path = write_day(tmp_path, "batches", DAY, batches(3, 10))
    assert path == tmp_path / "batches" / "day=2024-05-01" / "part.parquet"
    assert pl.read_parquet(path).equals(batches(3, 10))


def test_the_order_of_a_frames_columns_does_not_matter(tmp_path, batches):
    """Columns are stored in the schema's order whatever order they come in."""
    frame = batches(3, 10)
    path = write_day(tmp_path, "batches", DAY, frame.select(reversed(frame.columns)))
    assert pl.read_parquet(path).columns == frame.columns


def test_the_same_day_again_changes_nothing(tmp_path, batches):
    """Writing what is already there leaves the very same file, unwritten."""
    before = write_day(tmp_path, "batches", DAY, batches(3, 10)).stat()
    after = write_day(tmp_path, "batches", DAY, batches(3, 10)).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_day_is_replaced_whole(tmp_path, batches):
    """Nothing of a day's former rows is left, and no other day is touched."""
    write_day(tmp_path, "batches", date(2024, 4, 30), batches(4, 1))
    write_day(tmp_path, "batches", DAY, batches(3, 10))
    write_day(tmp_path, "batches", DAY, batches(2, 20))
    with flywheel.connect(tmp_path) as connection:
        found = connection.sql(
            "SELECT day, count(*), sum(size)::INT FROM raw_batches GROUP BY day ORDER BY day"
        )
        assert found.fetchall() == [(date(2024, 4, 30), 4, 4), (DAY, 2, 40)]


def test_an_empty_frame_removes_the_day(tmp_path, batches):
    """A day without rows is no day, for the list of days, the views and other tools."""
    path = write_day(tmp_path, "batches", DAY, batches(3, 10))
    write_day(tmp_path, "batches", DAY, batches(0, 0))
    assert days(tmp_path, "batches") == []
    assert not path.exists()
    with flywheel.connect(tmp_path) as connection:
        assert connection.sql("SELECT * FROM raw_batches").fetchall() == []


def test_an_empty_frame_for_a_day_that_never_was_writes_nothing(tmp_path, batches):
    """A quiet day leaves no trace."""
    write_day(tmp_path, "batches", DAY, batches(0, 0))
    assert list(tmp_path.iterdir()) == []


def test_days_are_listed_in_order(tmp_path, batches):
    """`days` sorts by date and knows a table without any."""
    for day in (DAY, date(2023, 12, 31), date(2024, 1, 9)):
        write_day(tmp_path, "batches", day, batches(1, 1))
    assert days(tmp_path, "batches") == [date(2023, 12, 31), date(2024, 1, 9), DAY]
    assert days(tmp_path, "judgements") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop("size"), "table batches: column size is missing; add it as Int64"),
        (lambda frame: frame.with_columns(colour=1), "table batches: column colour is not in its schema"),
        (
            lambda frame: frame.with_columns(pl.col("size").cast(pl.Int32)),
            "column size is Int32; cast it to Int64",
        ),
        (lambda frame: frame.with_columns(user=pl.lit(None)), "column user is Null; cast it to String"),
        (
            lambda frame: frame.with_columns(pl.col("created_at").dt.replace_time_zone(None)),
            "table batches: column created_at is Datetime",
        ),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_by_table_and_column(tmp_path, batches, change, said):
    """A missing, extra or mistyped column is named, and nothing is written."""
    with pytest.raises(LakeSchemaError) as refusal:
        write_day(tmp_path, "batches", DAY, change(batches(1, 1)))
    assert said in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_table_is_refused_by_name(tmp_path, batches):
    """A mistyped table does not become a folder nobody reads."""
    with pytest.raises(LakeSchemaError, match="no table 'batchs'; its tables are intakes, events"):
        write_day(tmp_path, "batchs", DAY, batches(1, 1))


def test_a_write_that_fails_leaves_the_day_as_it_was(tmp_path, batches):
    """When the disk refuses the new version, the old one stays visible and nothing half written is left."""
    other = write_day(tmp_path / "other", "batches", DAY, batches(2, 20)).resolve()
    root = tmp_path / "lake"
    path = write_day(root, "batches", DAY, batches(3, 10))
    (root / ".versions" / "batches" / "day=2024-05-01" / other.name / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=other.name):
        write_day(root, "batches", DAY, batches(2, 20))
    assert pl.read_parquet(path).equals(batches(3, 10))
    assert list(root.rglob("*.tmp")) == []


def test_a_superseded_version_stays_for_its_time_and_then_goes(tmp_path, batches):
    """Connections made before a rewrite keep their files for `KEEP`; the disk does not fill."""
    write_day(tmp_path, "batches", DAY, batches(3, 10))
    (first,) = present_versions(tmp_path, "batches")
    write_day(tmp_path, "batches", DAY, batches(2, 20))
    assert first.exists()
    long_ago = first.stat().st_mtime - KEEP.total_seconds() - 60
    for version in (first, *present_versions(tmp_path, "batches")):
        os.utime(version, (long_ago, long_ago))
    write_day(tmp_path, "batches", date(2024, 5, 2), batches(1, 1))
    assert not first.exists()
    assert len(present_versions(tmp_path, "batches")) == 2


def test_a_version_counts_as_old_from_the_time_it_is_superseded(tmp_path, batches):
    """A file written long ago and replaced just now is still there for who reads it."""
    write_day(tmp_path, "batches", DAY, batches(3, 10))
    (first,) = present_versions(tmp_path, "batches")
    long_ago = first.stat().st_mtime - KEEP.total_seconds() * 9
    os.utime(first, (long_ago, long_ago))
    write_day(tmp_path, "batches", DAY, batches(2, 20))
    assert first.exists()


def test_what_a_crash_left_half_written_goes_in_time(tmp_path, batches):
    """A writer's abandoned draft is removed with the old versions, and never read meanwhile."""
    write_day(tmp_path, "batches", DAY, batches(3, 10))
    (version,) = present_versions(tmp_path, "batches")
    draft = version.with_name(".half.parquet.1.2.tmp")
    draft.write_bytes(b"PAR1")
    os.utime(draft, (0, 0))
    write_day(tmp_path, "batches", DAY, batches(3, 10), keep=timedelta(days=1))
    assert not draft.exists()


def test_a_lake_copied_without_links_is_read_and_written(tmp_path, batches):
    """Where a copy has turned the links into files, days are read as they are and replaced as ever."""
    part = tmp_path / "batches" / "day=2024-05-01" / "part.parquet"
    part.parent.mkdir(parents=True)
    batches(3, 10).write_parquet(part)
    assert present_versions(tmp_path, "batches") == [part]
    write_day(tmp_path, "batches", DAY, batches(2, 20))
    assert pl.read_parquet(part).equals(batches(2, 20))


def test_readers_see_whole_days_while_a_writer_rewrites_them(tmp_path, batches):
    """Three readers and a writer at once: no error, and every read sees one whole version of each day."""
    second = date(2024, 5, 2)
    for day in (DAY, second):
        write_day(tmp_path, "batches", day, batches(200, 0))
    seen, failures = [], []

    def read():
        try:
            for _ in range(4):
                with flywheel.connect(tmp_path) as connection:
                    for _ in range(5):
                        seen.extend(connection.execute(WHOLE_DAYS).fetchall())
        except Exception as error:  # noqa: BLE001, whatever it is, the test is to show it
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    size = 0
    while any(reader.is_alive() for reader in readers):
        size += 1
        write_day(tmp_path, "batches", (DAY, second)[size % 2], batches(200 + size % 7, size))
    assert failures == []
    assert len(seen) == 3 * 4 * 5 * 2
    assert {sizes for _, _, sizes, _ in seen} == {1}
    assert [(rows, 200 + size % 7) for _, rows, _, size in seen if rows != 200 + size % 7] == []


WHOLE_DAYS = "SELECT day, count(*), count(DISTINCT size), any_value(size) FROM raw_batches GROUP BY day"
