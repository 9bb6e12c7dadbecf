"""`pause`, `resume` and `dlq replay|purge|export`: what operators do when something has to stop or start again."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from contracts.batches import BatchState
from flows.watch import EVERY, HOLD_FOR
from ledger.batches import read_batch
from ledger.claims import claim
from ledger.dead_letters import DeadLetter, list_letters
from ledger.engine import close_ledger, open_ledger
from ledger.pauses import read_pauses
from ledger.transitions import Settlement, settle_batch
from tests.commands import PENSTOCK

NOW = datetime.now(UTC)
TENANTS = 10
"""Of one batch each: enough that both workers are at work when a switch is thrown."""


@pytest.fixture
def ledger(bare):
    """The ledger of the command line's home."""
    opened = open_ledger(f"sqlite:///{bare.home}/ledger.db")
    yield opened
    close_ledger(opened)


@pytest.fixture
def dead(ledger, fill):
    """Three dead batches with their letters: two of acme, an hour and a day old, one of bolt, new."""
    letters = []
    for number, (tenant, hours) in enumerate((("acme", 1), ("acme", 24), ("bolt", 0))):
        batch = fill.ready(ledger, ["No line."], tenant=tenant)
        claim(ledger, batch, lease_id=f"l{number}", owner="w", now=NOW, lease_for=timedelta(hours=1))
        letter = DeadLetter(
            id=f"x-{number}{'0' * 10}",
            batch=batch,
            stage="insights",
            tenant=tenant,
            error="ModelRefused" if number else "RateLimitError",
            message="no",
            traceback="Traceback ...",
            prompt="<events>",
            diagnosis={},
            cost_usd=Decimal("0.5"),
            attempts=4,
            at=NOW - timedelta(hours=hours, minutes=1),
            payload={"events": [{"id": "1"}]},
            verdicts={},
        )
        settle_batch(ledger, batch, f"l{number}", Settlement(BatchState.DEAD, "no", letter=letter), NOW)
        letters.append(letter)
    return letters


def test_pause_and_resume_say_what_they_did(bare):
    """And what is still in the way; `status` shows it, in words and as JSON."""
    assert bare.json("pause", "solutions", "--tenant", "acme", "--reason", "bad prompt") == {
        "paused": "solutions@acme",
        "new": True,
        "known": False,
    }
    assert "Everything is paused" in bare("pause", "all", code=0).stderr
    assert "paused before" in bare("pause", "all", code=0).stderr
    shown = bare("status", code=0).stdout
    assert "solutions@acme" in shown
    assert "bad prompt" in shown
    assert {one["stage"] for one in bare.json("status")["paused"]} == {"solutions", "all"}
    assert bare.json("resume", "solutions", "--tenant", "acme") == {
        "resumed": "solutions@acme",
        "was_paused": True,
        "still_paused": ["all"],
    }
    assert "Everything goes on." in bare("resume", "all", code=0).stderr
    assert "was not paused" in bare("resume", "all", code=0).stderr


@pytest.mark.parametrize("room", ["switches", "letters", "replay", "services", "erase", "inspect"])
def test_who_throws_a_switch_does_not_wait_for_libraries_that_others_need(room):
    """Neither the provider's SDK nor Prefect nor polars is loaded: each takes a good part of a second."""
    loaded = (
        f"import sys, gateway.cli.{room}; print(*({{'anthropic', 'prefect', 'polars'}} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


def test_a_switch_thrown_in_the_ui_stops_every_process_and_loses_nothing(
    cli, offline, lines_of, wait_until, prefect_url
):
    """Two workers stop asking; what is under way is finished and kept; taken back, all is worked off once."""
    cli = cli.given(PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD="1", PENSTOCK_BATCHES_IN_FLIGHT="2")
    offline.play([{"match": {}, "play": {"kind": "latency", "seconds": 0.3}}])
    cli("ingest", "-", stdin="".join(lines_of(f"co-{n}", 1) for n in range(TENANTS)), code=0)
    workers = [cli.start("up", "--json"), cli.start("up", "--json")]
    variable = f"{prefect_url}/variables/name/penstock_paused"
    try:
        wait_until(lambda: len(offline.requests) > 10, "both are at work")
        wait_until(lambda: httpx.get(variable).is_success, "the switches are shown in the UI")
        # A busy server answers 503, and an operator tries again.
        wait_until(lambda: httpx.patch(variable, json={"value": ["all"]}).is_success, "the switch is thrown")
        wait_until(lambda: cli.rows("SELECT stage FROM pauses"), "the switch is in force")
        wait_until(lambda: not offline.stats["in_flight"], "what was under way has finished")
        asked = len(offline.requests)
        wait_until(lambda: "RUNNING" not in cli.by_state(), "all have stopped")
        assert len(offline.requests) == asked
        assert all(worker.poll() is None for worker in workers)
        wait_until(lambda: httpx.patch(variable, json={"value": []}).is_success, "the switch is taken back")
        wait_until(lambda: cli.by_state() == {"DONE": TENANTS}, "all is worked off")
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.communicate(timeout=120)
    asked_for = [request.headers["x-penstock-call"] for request in offline.requests if request.body]
    assert len(set(asked_for)) == len(asked_for) == cli.json("status")["calls"]


def test_a_switch_of_the_ui_is_looked_at_often_enough():
    """A look, and a hold that a dead process left, are together less than five seconds."""
    assert timedelta(seconds=5) > EVERY + HOLD_FOR


def test_a_stage_that_is_none_is_refused_by_name(bare):
    """With those that there are; nothing is paused."""
    said = bare.complaint("pause", "sollutions", code=2)
    assert "no stage is called 'sollutions'" in said
    assert "solutions" in said
    assert bare.json("status")["paused"] == []


def test_letters_are_filtered_by_stage_error_tenant_and_age(bare, dead):
    """Each option narrows; an age that is none is refused."""

    def ids(*options):
        return [one["id"] for one in bare.json("dlq", "list", *options)]

    assert ids() == [dead[2].id, dead[0].id, dead[1].id]
    assert ids("--tenant", "acme") == [dead[0].id, dead[1].id]
    assert ids("--error", "RateLimitError") == [dead[0].id]
    assert ids("--older-than", "2h") == [dead[1].id]
    assert ids("--newer-than", "30m") == [dead[2].id]
    assert ids("--stage", "delivery") == []
    assert "No dead letters." in bare("dlq", "list", "--stage", "delivery", code=0).stdout
    assert "'soon' is no age" in bare.complaint("dlq", "list", "--older-than", "soon", code=2)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("purge", "--older-than", "", "--yes"), "'' is no age"),
        (("purge", "--newer-than", "999999d", "--yes"), "at most 36500d"),
        (("purge", "--tenant", " ", "--yes"), "tenant is empty"),
        (("replay", "--stage", "", "--yes"), "stage is empty"),
        (("purge", "x-0", "--tenant", "bolt", "--yes"), "but not both"),
        (("replay", "x-0", "--older-than", "1h", "--yes"), "but not both"),
        (("export", "/proc/nowhere/letters.ndjson"), "no file can be written"),
        (("export", "."), "no file can be written"),
        (("export", "/etc/hostname/letters.ndjson"), "no file can be written"),
        (("export", "x" * 300), "no file can be written"),
        (("export", ""), "no file can be written"),
    ],
)
def test_a_filter_that_is_empty_or_means_two_things_is_refused_and_nothing_is_done(
    bare, ledger, dead, command, told
):
    """A variable that is not set would purge everything else; the line says what to give."""
    assert told in bare.complaint("dlq", *command, code=2)
    assert len(list_letters(ledger)) == len(dead)


def test_nothing_is_replayed_or_purged_unasked(bare, ledger, dead):
    """A dry run only shows; without --yes and without a person the command refuses; a no is a no."""
    assert set(bare.json("dlq", "replay", "--dry-run")["would_replay"]) == {one.id for one in dead}
    shown = bare("dlq", "replay", "--dry-run", code=0).stdout
    assert all(one.id[:12] in shown for one in dead)
    for command in ("replay", "purge"):
        refused = bare("dlq", command, code=2)
        assert "add --yes" in refused.stderr
    assert "Nothing was done." in typed(bare, "n\n", "dlq", "purge")
    assert len(list_letters(ledger)) == 3
    assert {read_batch(ledger, one.batch).state for one in dead} == {BatchState.DEAD}


def test_a_pause_of_a_tenant_nobody_has_heard_of_is_in_force_and_said_to_be_odd(bare, ledger, fill):
    """It may come later; or it is spelt otherwise, which whoever is in a hurry has to hear at once."""
    fill.ready(ledger, ["No line."], tenant="acme")
    told = bare("pause", "insights", "--tenant", "Acme", code=0).stderr
    assert "Insights for Acme is paused" in told
    assert "No event of 'Acme' has been batched" in told
    assert "No event" not in bare("pause", "insights", "--tenant", "acme", code=0).stderr


def test_a_pause_of_a_tenant_without_a_name_is_refused(bare, ledger):
    """An empty variable neither stops everybody nor lets everybody go on."""
    bare("pause", "insights", code=0)
    for command in ("pause", "resume"):
        assert "--tenant is empty" in bare.complaint(command, "insights", "--tenant", "", code=2)
    assert [str(one.switch) for one in read_pauses(ledger)] == ["insights"]


def test_replayed_letters_send_their_batches_back_once(bare, ledger, dead):
    """By filter or by id; what was replayed before is not taken again."""
    replay = ("dlq", "replay", "--yes", "--rate", "60000")
    assert bare.json(*replay, "--tenant", " acme ")["replayed"] == [dead[1].id, dead[0].id]
    assert bare.json(*replay)["replayed"] == [dead[2].id]
    assert bare.json(*replay) == {"replayed": []}
    assert bare.json(*replay, dead[0].id[:6])["replayed"] == []
    assert "Nothing to replay: replayed before." in bare(*replay, dead[0].id[:6], code=0).stdout
    assert "no dead letter fits" in bare(*replay, "--tenant", "nobody", code=0).stdout
    assert {read_batch(ledger, one.batch).state for one in dead} == {BatchState.READY}


def test_a_person_is_asked_and_answers(bare, ledger, dead):
    """The letters are shown first; yes does it."""
    shown = typed(bare, "y\n", "dlq", "purge", "--tenant", "bolt")
    assert "Remove 1 dead letters for good? [y/N]" in shown
    assert dead[2].id[:12] in shown
    assert [one.id for one in list_letters(ledger)] == [dead[0].id, dead[1].id]


def test_letters_are_exported_with_all_they_hold(bare, dead, tmp_path):
    """One JSON object a line, oldest first, to a file or to standard output."""
    path = tmp_path / "out" / "letters.ndjson"
    bare("dlq", "export", str(path), "--tenant", "acme", code=0)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["id"] for line in lines] == [dead[1].id, dead[0].id]
    assert lines[0]["payload"] == {"events": [{"id": "1"}]}
    assert lines[0]["cost_usd"] == "0.5"
    assert len(bare("dlq", "export", "-", code=0).stdout.splitlines()) == 3


def typed(cli, answer, *arguments) -> str:
    """What a command prints to a terminal at which a person types an answer."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [PENSTOCK, *arguments],
        env=cli.everything,
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
