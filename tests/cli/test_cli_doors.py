"""The commands about what comes in from outside: keys, routes, the gateway."""

import json
import signal

import httpx
import pytest

from tests.sources.test_routes import ROUTES, TICKET


def test_a_key_is_shown_once_and_revoked_by_its_id(bare):
    """The list holds nothing that opens anything."""
    made = bare.json("keys", "make", "--tenant", "acme", "--name", "the shop", "--signs")
    assert made["key"].startswith(f"pst_{made['id']}_")
    assert made["signing_secret"].startswith("whsec_")
    listed = bare("keys", "list", code=0).stdout
    assert "the shop" in listed
    assert made["key"].rpartition("_")[2] not in listed
    assert bare.json("keys", "revoke", made["id"])["revoked_at"]
    assert "no key" in bare("keys", "revoke", made["id"], code=2).stderr


@pytest.fixture
def routed(bare, tmp_path):
    """The command line with a file of routes, and a message in a file."""
    (tmp_path / "routes.toml").write_text(ROUTES)
    (tmp_path / "ticket.json").write_text(json.dumps(TICKET))
    return bare.given(PENSTOCK_ROUTES=str(tmp_path / "routes.toml")), tmp_path / "ticket.json"


def test_a_route_explains_itself(routed):
    """Every route up to the one that decides, why it is not the others, and what the event would be."""
    cli, ticket = routed
    (told,) = cli.json("route", "test", ticket)
    assert [(one["route"], one["decides"]) for one in told["routes"]] == [
        ("tests of ours", "no"),
        ("tickets", "yes"),
    ]
    assert told["routes"][0]["because"] == "detail.customer.org is 'acme', and must be 'staging'"
    assert told["outcome"] | {"time": ""} == {
        "outcome": "taken",
        "id": "e-1",
        "source": "helpdesk",
        "type": "support.transcript",
        "tenant": "acme",
        "user": "ann",
        "priority": "HIGH",
        "feature": "helpdesk",
        "topic": "on fire",
        "time": "",
        "pipeline": "documents",
    }
    shown = cli("route", "test", "-", stdin=ticket.read_text(), code=0).stdout
    assert "all of its pattern matches" in shown
    assert cli.json("status")["events"]["accepted"] == 0


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("no JSON", {"outcome": "rejected"}),
        ('{"claimCheck": "s3://big/one"}', {"outcome": "the rest is fetched", "object": "s3://big/one"}),
        ("[]", {"outcome": "nothing to take in", "reason": "an empty batch"}),
    ],
)
def test_a_message_that_is_no_event_is_explained_too(bare, message, outcome):
    """What would become of it in a queue."""
    (told,) = bare.json("route", "test", "-", stdin=message)
    assert outcome.items() <= told["outcome"].items()


def test_wrong_routes_stop_intake_with_the_place(bare, tmp_path, lines_of):
    """Nothing is taken in by half of a file."""
    path = tmp_path / "routes.toml"
    path.write_text('[[route]]\nname = "x"\npattern = { source = "a" }\n')
    wrong = bare.given(PENSTOCK_ROUTES=str(path))
    assert "route.0.pattern" in wrong("ingest", "-", stdin=lines_of("acme", 1), code=2).stderr
    assert "PENSTOCK_ROUTES" in bare.given(PENSTOCK_ROUTES="gone.toml")("doctor", code=1).stdout


def test_the_gateway_is_served_and_ends_at_ctrl_c(bare, wait_until, closed_port):
    """It says where it is, describes itself, and ends cleanly; a model is not needed for it."""
    key = bare.json("keys", "make", "--tenant", "acme")["key"]
    serving = bare.start("serve", "--port", str(closed_port), "--json")
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{closed_port}/docs"), "the gateway answers")
        address = f"http://127.0.0.1:{closed_port}"
        event = {"id": "1", "source": "app", "type": "feedback.submitted", "data": {"text": "late"}}
        answer = httpx.post(f"{address}/v1/events", json=event, headers={"x-api-key": key})
        assert answer.status_code == 202
        assert "/v1/events" in httpx.get(f"{address}/openapi.json").json()["paths"]
    finally:
        serving.send_signal(signal.SIGINT)
        told, complaint = serving.communicate(timeout=60)
    assert json.loads(told)["gateway"] == address
    assert "Traceback" not in complaint
    assert bare.rows("SELECT count(*) FROM events") == [(1,)]


def answers(address):
    """Whether something is there."""
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False
