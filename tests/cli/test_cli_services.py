"""`up`, `down` and `demo`: what they start, where they say it is, and that they leave nothing behind."""

import json
import re
import signal
from pathlib import Path

import httpx
import psutil

AT_ONCE = {"PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD": "1"}
"""A single event closes a batch, so that nobody has to wait for its age."""


def pids(home) -> list[int]:
    """The processes that this home's notes name."""
    return [json.loads(note.read_text())["pid"] for note in sorted((home / "services").glob("*.json"))]


def first_json(stream):
    """The JSON document that a command begins with and does not end after."""
    text = ""
    for line in stream:
        text += line
        if line == "}\n":
            return json.loads(text)
    raise AssertionError(f"no document: {text}")


def test_up_starts_everything_works_off_what_comes_in_and_leaves_nothing_behind(bare, lines_of, wait_until):
    """Without any setting: server, model and worker come up, serve, and are gone after Ctrl-C."""
    cli = bare.given(**AT_ONCE, PENSTOCK_SOLUTION_FORMS='["action_plan"]', PENSTOCK_AUDIENCES='["admin"]')
    cli = cli.measured()
    up = cli.start("up", "--json")
    try:
        links = first_json(up.stdout)
        assert httpx.get(links["prefect_ui"], follow_redirects=True).is_success
        started, made = pids(cli.home), Path(links["deliverables"])
        cli.json("ingest", "-", stdin=lines_of("acme", 1))
        wait_until(lambda: list(made.glob("acme/*/notice-*.md")), "the batch is worked off")
    finally:
        up.send_signal(signal.SIGINT)
        # Prefect's client alone tries for more than a minute to reach a server that is gone.
        out, err = up.communicate(timeout=45)
    assert up.returncode == 0, err
    assert out == ""
    assert "stopped: prefect, offline-model" in err
    assert len(started) == 2
    assert not any(psutil.pid_exists(pid) for pid in started)
    assert pids(cli.home) == []


def test_up_stops_at_once_when_told_twice_and_gives_its_work_back(cli, lines_of, offline, wait_until):
    """The first signal waits for the work in hand; the second makes the batch READY for the next run."""
    offline.play([{"match": {"schema": "InsightReport"}, "play": {"kind": "hang", "seconds": 600}}])
    cli = cli.given(**AT_ONCE)
    cli.json("ingest", "-", stdin=lines_of("acme", 1))
    up = cli.start("up")
    wait_until(lambda: offline.counts.get("InsightReport"), "a call hangs")
    up.send_signal(signal.SIGTERM)
    assert any("once more to break it off" in line for line in up.stderr)
    up.send_signal(signal.SIGTERM)
    out, err = up.communicate(timeout=120)
    assert up.returncode == 130, err
    assert "Traceback" not in err
    assert "Prefect UI" in out
    assert cli.json("status")["batches"]["by_state"] == {"READY": 1}


def test_up_ends_within_its_deadline_and_gives_back_what_it_could_not_finish(
    cli, lines_of, offline, wait_until
):
    """One SIGTERM: nothing new begins, and after PENSTOCK_STOP_S what still hangs is READY for the next run."""
    offline.play([{"match": {"schema": "InsightReport"}, "play": {"kind": "hang", "seconds": 600}}])
    cli = cli.given(
        **AT_ONCE, PENSTOCK_STOP_S="2", PENSTOCK_BATCHES_IN_FLIGHT="1", PENSTOCK_WORKER_FLOW_RUNS="1"
    ).measured()
    cli.json("ingest", "-", stdin=lines_of("acme", 1) + lines_of("bolt", 1))
    up = cli.start("up", "--json")
    wait_until(lambda: offline.counts.get("InsightReport"), "a call hangs")
    up.send_signal(signal.SIGTERM)
    _, err = up.communicate(timeout=60)
    assert up.returncode == 130, err
    assert "what is in work has 2 s" in err
    assert cli.json("status")["batches"]["by_state"] == {"READY": 2}
    assert offline.counts == {"InsightReport": 1}


def test_down_without_services_says_so(bare):
    """Nothing to stop is no error."""
    assert bare.json("down") == {"stopped": []}
    assert "nothing was running" in bare("down", code=0).stderr


def test_demo_shows_what_happened_and_where_and_does_no_work_twice(bare, prefect_url):
    """Every link it prints leads somewhere, every command can be pasted, and the second run pays for nothing."""
    cli = bare.given(
        PREFECT_API_URL=prefect_url,
        PENSTOCK_SOLUTION_FORMS='["action_plan"]',
        PENSTOCK_AUDIENCES='["admin"]',
    )
    shown = cli("demo", code=0).stdout
    try:
        for words in ("by scope", "by level", "Deliverables", "What the judge refused", "Wall time"):
            assert words in shown
        link = dict(re.findall(r"^  (Prefect UI|Deliverables|Report) +(\S+)$", shown, re.MULTILINE))
        assert httpx.get(link["Prefect UI"], follow_redirects=True).is_success
        assert list(Path(link["Deliverables"]).glob("*/*/*.md"))
        assert Path(link["Report"]).read_text().startswith("<!")
        for command in ("show d-", "status b-"):
            words = re.search(rf"penstock ({command}\S+)$", shown, re.MULTILINE)[1].split()
            cli(*words, code=0)
        before = cli.json("status")
        again = cli.json("demo")
    finally:
        stopped = cli.json("down")["stopped"]
    assert again["ingest"]["accepted"] == 0
    assert again["run"]["batches"]["total"] == again["run"]["calls"] == 0
    assert again["status"]["calls"] == before["calls"] > 0
    assert again["status"]["batches"] == before["batches"]
    assert again["look"]["report"] == link["Report"]
    assert stopped == ["offline-model"]
