"""`penstock run`: with what it begins, how it ends, and that stopping it loses nothing."""

import signal

import pytest

from deployments.offline_model.server import serve_offline

ONCE = {"read": 2, "accepted": 2, "duplicates": 0, "rejected": 0}


def test_postgresql_serves_the_whole_road(cli, lines_of, empty_postgres):
    """With PENSTOCK_DATABASE_URL, intake, run and status work on PostgreSQL, and no SQLite file is made."""
    cli = cli.given(PENSTOCK_DATABASE_URL=empty_postgres).measured()
    assert cli.json("ingest", "-", stdin=lines_of("acme", 2)) == ONCE
    done = cli.json("run", "--until-idle", "--flush")
    assert done["batches"]["by_state"] == {"DONE": 1}
    assert cli.json("status")["deliverables"] == done["deliverables"]
    assert "postgresql" in cli("doctor", code=0).stdout
    assert not (cli.home / "ledger.db").exists()


def test_with_a_key_the_same_commands_use_claude_s_models_at_their_price(bare, prefect_url, lines_of):
    """ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL lead the whole road to a provider, which is paid."""
    with serve_offline(key="sk-test", any_model=True) as provider:
        cli = bare.given(
            PREFECT_API_URL=prefect_url,
            ANTHROPIC_API_KEY="sk-test",
            ANTHROPIC_BASE_URL=provider.url,
            PENSTOCK_SOLUTION_FORMS='["action_plan"]',
            PENSTOCK_AUDIENCES='["admin"]',
        )
        cli.json("ingest", "-", stdin=lines_of("acme", 2))
        done = cli.json("run", "--until-idle", "--flush")
        doctor = cli.json("doctor")
        models = {request.json["model"] for request in provider.requests if request.body}
    spent = cli.json("costs")
    assert done["batches"]["by_state"] == {"DONE": 1}
    assert done["cost_usd"] == pytest.approx(spent["total"]["cost_usd"])
    assert done["cost_usd"] > 0
    assert {row["purpose"]: row["model"] for row in spent["rows"]} == {
        "generate": "claude-sonnet-5-5",
        "judge": "claude-opus-5-5",
    }
    assert models == {"claude-sonnet-5-5", "claude-opus-5-5"}
    assert doctor["ok"]
    assert not (cli.home / "services").exists()


def test_a_key_that_the_model_refuses_stops_a_run_before_any_batch_is_begun(bare, prefect_url, lines_of):
    """A wrong key is one line and exit code 2, and costs no batch its life."""
    with serve_offline(key="right", any_model=True) as provider:
        cli = bare.given(
            PREFECT_API_URL=prefect_url, ANTHROPIC_API_KEY="wrong", ANTHROPIC_BASE_URL=provider.url
        )
        cli.json("ingest", "-", stdin=lines_of("acme", 2))
        said = cli.complaint("run", "--flush", code=2)
    assert "ANTHROPIC_API_KEY" in said
    assert "wrong" not in said
    assert cli.json("status")["batches"]["total"] == 0


def test_a_model_that_does_not_answer_is_exit_code_3(cli, closed_port):
    """A dead model address is one line that names the setting."""
    dead = cli.given(ANTHROPIC_API_KEY="sk-test", ANTHROPIC_BASE_URL=f"http://127.0.0.1:{closed_port}")
    assert "ANTHROPIC_BASE_URL" in dead.complaint("run", code=3)


def test_a_prefect_server_that_does_not_answer_is_exit_code_3(bare, closed_port):
    """A dead Prefect server is one line, and nothing else is started."""
    dead = bare.given(PREFECT_API_URL=f"http://127.0.0.1:{closed_port}/api")
    assert "PREFECT_API_URL" in dead.complaint("run", code=3)
    assert not (bare.home / "services").exists()


def test_what_answers_as_no_prefect_server_does_is_exit_code_3(cli, offline):
    """An address at which something else listens is told from a Prefect server."""
    wrong = cli.given(PREFECT_API_URL=f"{offline.url}/api")
    assert "PREFECT_API_URL" in wrong.complaint("run", code=3)


def test_a_run_without_flush_says_what_waits_for_more(cli, lines_of):
    """Events below the threshold are not forgotten: the operator is told how to close them."""
    cli.json("ingest", "-", stdin=lines_of("acme", 2))
    shown = cli("run", code=0).stdout
    assert "2 events wait for a batch to fill; `penstock run --flush`" in shown
    assert "Wall time" in shown


def test_a_stopped_run_gives_its_batches_back_for_the_next_one(cli, lines_of, offline, wait_until):
    """Ctrl-C in the middle of a call: exit code 130, one line, and nothing is lost or left to a lease."""
    cli.json("ingest", "-", stdin=lines_of("acme", 2))
    offline.play([{"match": {"schema": "RecommendationReport"}, "play": {"kind": "hang", "seconds": 600}}])
    run = cli.measured().start("run", "--until-idle", "--flush")
    wait_until(lambda: offline.counts.get("RecommendationReport"), "a call hangs")
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith("penstock: stopped; ")
    assert "Traceback" not in err
    assert cli.json("status")["batches"]["by_state"] == {"READY": 1}
    offline.play([])
    shown = cli("run", "--until-idle", code=0).stdout
    assert "DONE 1" in shown
    assert "events wait" not in shown
    assert offline.counts["InsightReport"] == 1, "what was paid for is not asked for again"
