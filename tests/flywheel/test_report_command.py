import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import polars as pl
import pytest

from gateway.cli import main
from tasks.lake_supply import write_facts
from tasks.runtime import runtime
from tasks.settings import Settings

AFTERNOON = datetime(2024, 5, 4, 15, tzinfo=UTC)


@pytest.fixture
def penstock(monkeypatch, capsys):
    """Runs a command on a home; returns its exit code and what it wrote to each stream."""

    def run(home, *arguments):
        monkeypatch.setenv("PENSTOCK_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["penstock", *arguments])
        try:
            main()
        except SystemExit as ended:
            return ended.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    handler = signal.getsignal(signal.SIGTERM)  # a command sets its own
    yield run
    signal.signal(signal.SIGTERM, handler)


def test_report_prints_the_path_of_the_page_it_wrote(penstock, lake):
    """The path stands alone on standard output, or in JSON, and the page is there."""
    page = lake.parent / "report.html"
    assert penstock(lake.parent, "report") == (0, f"{page}\n", "")
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    page.unlink()
    code, out, _ = penstock(lake.parent, "report", "--json")
    assert (code, json.loads(out)) == (0, {"report": str(page)})
    assert page.exists()


def test_without_a_lake_report_says_what_to_do(penstock, tmp_path):
    """A home nothing has run in is wrong use: one line, exit code 2, and nothing is written."""
    code, out, err = penstock(tmp_path, "report")
    assert (code, out) == (2, "")
    assert err.startswith(f"penstock: no lake in {tmp_path}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lake_of_another_schema_is_refused_in_one_line(penstock, lake):
    """The database's words on a missing column are many lines; the operator gets one with the next step."""
    part = lake / "judgements" / "day=2024-05-01" / "part.parquet"
    pl.read_parquet(part).drop("reason").write_parquet(part.resolve())
    code, _, err = penstock(lake.parent, "report")
    assert code == 2
    assert err.count("\n") == 1
    assert "write its days again from the ledger" in err


def test_a_process_that_wrote_a_report_ends_silently(lake):
    """Nothing of the database outlives the page, so nothing is reported as leaked when the process ends."""
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "report"]
    environment = os.environ | {"PENSTOCK_HOME": str(lake.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""


def test_the_lake_and_its_report_are_there_before_the_first_fact(tmp_path):
    """A ledger without events gives an empty lake, its database and its page, at the run's own time."""
    settings = Settings(home=tmp_path, offline_url="http://127.0.0.1:9")

    async def supply():
        async with runtime(settings, clock=lambda: AFTERNOON) as run:
            return await asyncio.to_thread(write_facts, run.ledger, run.settings, run.clock())

    assert asyncio.run(supply()) == 0
    assert (tmp_path / "flywheel.duckdb").exists()
    assert "2024-05-04 15:00" in (tmp_path / "report.html").read_text("utf-8")
