"""Secrets: canaries are planted wherever an installation keeps one, and looked for in everything it writes."""

import json

import pytest

from deployments.offline_model.server import serve_offline
from tests.stores import in_files, in_lake, in_ledger

PROVIDER_KEY = "sk-ant-canary-provider-0001"
DATABASE_PASSWORD = "canary-database-0002"  # noqa: S105 - planted, and looked for
NOTIFY_TOKEN = "canary-notify-0003"  # noqa: S105
OTHER_KEY = "canary-aws-0004"
PLANTED = "canary-planted-0005"
PASTED = "sk-live-canary-pasted-0006"
"""What a customer pasted into a message: it stays in the event, and goes nowhere from there."""
OURS = (PROVIDER_KEY, DATABASE_PASSWORD, NOTIFY_TOKEN, OTHER_KEY, PLANTED)
WRITER = {"schema": "InsightReport"}


def plays():
    """One tenant's request is refused, another's answer lets secrets slip, a third's is cut off."""
    refused = {"match": WRITER | {"contains": "brokeco"}, "play": {"kind": "error", "status": 400}}
    slip = {"kind": "slip", "words": f"Ask with {PROVIDER_KEY} or {PLANTED}."}
    cut = {"match": WRITER | {"contains": "cutco"}, "play": {"kind": "truncate"}}
    return [refused, {"match": WRITER | {"contains": "slipco"}, "play": slip}, cut]


@pytest.fixture(scope="module")
def told(home_beside, cli_at, postgres_ledger, lines_of):
    """Everything an installation has written, said and sent, by where it stands: `{place: text}`."""
    home = home_beside("canaries")
    with postgres_ledger() as url, serve_offline(plays(), key=PROVIDER_KEY, any_model=True) as provider:
        cli = cli_at(home).given(
            ANTHROPIC_API_KEY=PROVIDER_KEY,
            ANTHROPIC_BASE_URL=provider.url,
            PENSTOCK_DATABASE_URL=url.replace("postgres:@", f"postgres:{DATABASE_PASSWORD}@"),
            PENSTOCK_NOTIFY_URL=f"http://127.0.0.1:9/hooks/{NOTIFY_TOKEN}",
            PENSTOCK_CANARIES=json.dumps([PLANTED]),
            PENSTOCK_SOLUTION_FORMS='["action_plan"]',
            PENSTOCK_AUDIENCES='["admin"]',
            AWS_SECRET_ACCESS_KEY=OTHER_KEY,
        )
        assert DATABASE_PASSWORD in cli.everything["PENSTOCK_DATABASE_URL"]
        yield {
            "terminal": worked_off(cli, events(lines_of)),
            "wire": "\n".join(request.body.decode() for request in provider.requests),
            **in_ledger(url),
            **in_files(home),
            **in_files(home / "prefect"),
            "lake": in_lake(home),
        }


def worked_off(cli, lines) -> str:
    """What the commands said: events taken in and worked off, two batches DEAD, one FAILED, all of it looked at."""
    said = [cli("ingest", "-", stdin=f"{lines}no JSON, {PASTED}\n", code=0)]
    said.append(cli("run", "--until-idle", "--flush", "--json", code=1))
    letters = cli.json("dlq", "list")
    assert {letter["tenant"] for letter in letters} == {"brokeco", "cutco"}
    shown = [("dlq", "show", letter["id"]) for letter in letters]
    others = [("status",), ("costs",), ("dlq", "list"), ("report",), ("doctor",)]
    said += [cli(*command, code=0) for command in (*shown, *others)]
    said.append(cli("dlq", "export", str(cli.home / "letters.ndjson"), code=0))
    return "\n".join(done.stdout + done.stderr for done in said)


def events(lines_of):
    """A batch of each tenant; every customer has pasted a key."""
    text = f"The phone line was busy, my key is {PASTED} if you need it"
    return "".join(lines_of(tenant, 2, text=text) for tenant in ("acme", "brokeco", "slipco", "cutco"))


def places_with(told, secret) -> list[str]:
    """Where the secret stands."""
    return [place for place, text in told.items() if secret in text]


def test_the_search_sees_what_is_there(told):
    """Tenants are found in the ledger, the lake, Prefect's flow runs and artifacts, the wire and the terminal."""
    places = places_with(told, "brokeco")
    seen = {"ledger.dead_letters", "ledger.batches", "lake", "wire", "terminal", "letters.ndjson"}
    seen |= {"prefect.db.task_run", "prefect.db.artifact", "prefect.db.events"}
    assert seen <= set(places)
    assert told["prefect.db.flow_run"]
    assert told["prefect.db.log"]


@pytest.mark.parametrize("secret", OURS)
def test_an_installations_secrets_are_written_nowhere(told, secret):
    """Not in the ledger, the lake, deliverables, logs, artifacts, flow parameters, letters, prompts or output.

    Only the answer that a model let them slip into is kept as it came; it went to no judge, and never leaves.
    """
    slipped = ("ledger.items", "ledger.model_calls") if secret in {PROVIDER_KEY, PLANTED} else ()
    assert set(places_with(told, secret)) == set(slipped)


def test_a_key_that_a_customer_pasted_stays_in_its_event(told):
    """It is in the event and the rejection, where nothing is changed; not in a prompt, letter, diagnosis or file."""
    assert set(places_with(told, PASTED)) == {"ledger.events", "ledger.rejections"}
