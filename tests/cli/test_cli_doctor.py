"""`penstock doctor`: what is well, what is wrong, and what to do about it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from deployments.offline_model.server import serve_offline
from ledger.batches import create_batches
from ledger.engine import close_ledger, open_ledger
from ledger.pending import pending_events
from tasks.batch_policy import BatchPolicy, closing_now
from tasks.batching import plan_batches

CHECKS = ["settings", "mapping", "redaction", "prices", "database", "progress", "prefect", "limits", "model"]


def wrong(report) -> dict[str, str]:
    """The checks that failed, with what to do; every one of them has something to do."""
    found = {check["check"]: check["to_do"] for check in report["checks"] if not check["ok"]}
    assert not report["ok"]
    assert all(found.values())
    return found


def test_all_well_is_exit_code_0_and_names_every_check(worked, offline):
    """Where a run would begin, the doctor has nothing to say."""
    cli = worked.cli.given(PENSTOCK_OFFLINE_URL=offline.url)
    report = cli.json("doctor")
    assert report["ok"]
    assert [check["check"] for check in report["checks"]] == CHECKS


def test_before_the_first_run_it_says_what_will_be_started(bare):
    """A fresh home is well: what is missing is started by a run."""
    shown = bare("doctor", code=0).stdout
    assert "`penstock run` and `penstock up` start it" in " ".join(shown.split())
    assert "All is well." in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_wrong_setting_is_named(bare):
    """Without settings there is nothing else to check."""
    report = bare.given(PENSTOCK_LEASE_S="soon").json("doctor", code=1)
    assert [check["check"] for check in report["checks"]] == ["settings"]
    assert "PENSTOCK_LEASE_S" in report["checks"][0]["seen"]


def test_everything_that_is_out_of_reach_is_found_at_once(bare, closed_port, tmp_path):
    """One call shows all that is wrong, each with its own advice."""
    nowhere = f"127.0.0.1:{closed_port}"
    cli = bare.given(
        PENSTOCK_DATABASE_URL=f"postgresql://me@{nowhere}/penstock",
        PREFECT_API_URL=f"http://{nowhere}/api",
        ANTHROPIC_API_KEY="sk-test",
        ANTHROPIC_BASE_URL=f"http://{nowhere}",
        PENSTOCK_MAPPING=str(tmp_path / "absent.toml"),
        PENSTOCK_MODEL="claude-of-tomorrow",
    )
    found = wrong(cli.json("doctor", code=1))
    assert list(found) == ["mapping", "prices", "database", "prefect", "model"]
    assert "PENSTOCK_DATABASE_URL" in found["database"]
    assert "PREFECT_API_URL" in found["prefect"]
    assert "ANTHROPIC_BASE_URL" in found["model"]
    shown = cli("doctor", code=1).stdout
    assert "What to do" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_key_that_is_refused_is_told_from_an_address_that_is_dead(bare):
    """A provider that answers 401 points to the key."""
    with serve_offline(key="right") as provider:
        cli = bare.given(ANTHROPIC_API_KEY="wrong", ANTHROPIC_BASE_URL=provider.url)
        report = cli.json("doctor", code=1)
    assert list(wrong(report)) == ["model"]
    assert "401" in report["checks"][-1]["seen"]


@pytest.fixture
def set_limit(worked, prefect_url):
    """Sets the limit that the first run made, as an operator would, for the time of the test."""
    del worked  # whose run made the limit
    address = f"{prefect_url}/v2/concurrency_limits/penstock-model-requests"
    before = httpx.get(address).raise_for_status().json()["limit"]
    yield lambda slots, **more: httpx.patch(address, json={"limit": slots} | more).raise_for_status()
    httpx.patch(address, json={"limit": before, "active": True}).raise_for_status()


def test_a_limit_under_which_no_run_could_begin_is_found(cli, set_limit):
    """At 0 or switched off no model would ever be called; a low limit is an operator's choice, and slow."""
    set_limit(1)
    assert cli.json("doctor", code=0)["ok"]
    set_limit(0)
    assert "penstock-model-requests" in wrong(cli.json("doctor", code=1))["limits"]
    set_limit(8, active=False)
    assert "switch it on" in wrong(cli.json("doctor", code=1))["limits"]


def test_a_prefect_address_at_which_something_else_answers_is_wrong(bare, offline):
    """What answers without being a Prefect server is not well."""
    found = wrong(bare.given(PREFECT_API_URL=f"{offline.url}/api").json("doctor", code=1))
    assert list(found) == ["prefect"]


def test_what_gets_nowhere_is_named_and_what_to_do(bare, lines_of):
    """A batch that is ready for longer than PENSTOCK_STUCK_AFTER_S while nothing works: here and in `status`."""
    cli = bare.given(PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD="1", PENSTOCK_STUCK_AFTER_S="60")
    cli.json("ingest", "-", stdin=lines_of("acme", 1))
    ledger = open_ledger(f"sqlite:///{cli.home}/ledger.db")
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    plans = plan_batches(pending_events(ledger), closing_now(BatchPolicy()), an_hour_ago)
    create_batches(ledger, plans, an_hour_ago)
    close_ledger(ledger)
    found = wrong(cli.json("doctor", code=1))
    assert "`penstock up`" in found["progress"]
    (stuck,) = cli.json("status")["stuck"]
    assert (stuck["kind"], stuck["about"]) == ("lane", "HIGH")
    assert "Stuck" in cli("status", code=0).stdout
