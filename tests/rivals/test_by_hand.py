import asyncio
import sqlite3

import anthropic
import pytest

from benchmarks.rivals.__main__ import run
from benchmarks.rivals.by_hand import ready
from benchmarks.work import calls_of
from deployments.offline_model.server import serve_offline


def played(folder, url, *names):
    """The batches, played in a process that starts with what is in the folder."""
    with ready(url, folder) as player:
        asyncio.run(player.play(names))


def test_an_answer_kept_is_not_asked_again(tmp_path):
    """A run that broke off goes on where it was: all calls together are as many as one run without a fault makes."""
    broken = [{"match": {"nth": 20}, "play": {"kind": "error", "status": 400}}]
    with serve_offline(broken) as model:
        with pytest.raises(BaseExceptionGroup) as failed:
            played(tmp_path, model.url, "one", "two")
        assert failed.group_contains(anthropic.BadRequestError)
        model.play([])
        played(tmp_path, model.url, "one", "two")
        asked = model.stats["messages"]
        assert asked - model.stats["played"]["error"] == calls_of(2)
        played(tmp_path, model.url, "one", "two")
        assert model.stats["messages"] == asked
    with sqlite3.connect(tmp_path / "by_hand.db") as book:
        assert book.execute("SELECT DISTINCT state FROM batches").fetchall() == [("DONE",)]
    book.close()


def test_a_passing_fault_is_tried_again(tmp_path):
    """After 429 a call waits as long as it is told to and is made again."""
    limited = [{"play": {"kind": "rate_limit", "retry_after": 0}, "times": 2}]
    with serve_offline(limited) as model:
        played(tmp_path, model.url, "one")
        assert model.stats["messages"] == calls_of(1) + 2


def test_the_comparison_reports_seconds_cpu_and_calls():
    """A small run gives the documented figures, each beside bare asyncio, and all calls were made."""
    result = run(0.0, 1, 1, ("bare", "by_hand"))
    assert result["calls"] == calls_of(1)
    for rival in result["rivals"].values():
        assert rival["calls"] == calls_of(1)
        assert rival["wrong"] == []
        assert rival.keys() >= {"seconds", "ratio", "cpu_ms_per_call", "cpu_ms_per_call_beyond_bare"}
