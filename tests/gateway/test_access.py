"""Who is let in: holders of keys, who signed where they have to, each to what is theirs."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from ledger.api_keys import UnknownKeyError, list_keys, revoke_key
from tasks.runtime import utc_now
from tests.gateway.conftest import EVENT, Door, served
from tests.gateway.test_events_in import accepted

SECRET = "whsec_" + "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2g="


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Basic pst_k0_secret-of-k0"},
        {"authorization": "Bearer pst_k0_wrong"},
        {"authorization": "Bearer pst_k0"},
        {"authorization": "Bearer nothing"},
        {"x-api-key": "pst_other_secret-of-k0"},
    ],
)
def test_nobody_is_let_in_without_a_key(door, headers):
    """Whatever is like one: the answer says what to send, and nothing of what was wrong with it."""
    door.key("acme")
    answer = httpx.post(f"{door.address}/v1/events", json=EVENT, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "send an API key" in answer.json()["detail"]
    assert accepted(door) == 0


def test_a_key_may_come_in_a_header_of_its_own(door):
    """For senders that can set no other."""
    answer = httpx.post(f"{door.address}/v1/events", json=EVENT, headers={"x-api-key": door.key("acme")})
    assert answer.status_code == 202


def test_a_key_is_kept_as_a_hash_and_revoked_for_good(door):
    """What is in the ledger opens nothing."""
    token = door.key("acme")
    with door.book.connect() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM api_keys").all()
    assert token.rpartition("_")[2] not in repr(kept)
    (key,) = list_keys(door.book)
    revoke_key(door.book, key.id, utc_now())
    answer = httpx.post(f"{door.address}/v1/events", json=EVENT, headers={"x-api-key": token})
    assert answer.status_code == 401
    with pytest.raises(UnknownKeyError, match="penstock keys list"):
        revoke_key(door.book, key.id, utc_now())


def test_a_key_sends_for_its_own_tenant_alone(acme):
    """An event that names another is refused; one that names none is the sender's."""
    refused = acme.post("/v1/events", json=EVENT | {"tenant": "beta"})
    assert refused.status_code == 422
    assert "the key is of the tenant 'acme'" in refused.json()["detail"]
    assert acme.post("/v1/events", json=EVENT | {"tenant": "acme"}).status_code == 202


def test_nobody_reads_what_is_anothers(door, acme):
    """It is as if it were not there."""
    location = acme.post("/v1/events", json=EVENT).headers["location"]
    with door.client("beta") as beta:
        theirs, nobodys = beta.get(location), beta.get("/v1/events/" + "0" * 32)
    assert theirs.status_code == nobodys.status_code == 404
    assert acme.get(location).status_code == 200


def signed(door, body, *, at=None, ago=timedelta(), secret=SECRET, message="m-1", **changed):
    """A request that is signed as Standard Webhooks has it."""
    at = at or datetime.now(UTC) - ago
    signature = Webhook(secret).sign(message, at.replace(tzinfo=UTC), body)
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    headers |= {"content-type": "application/json"} | changed
    return httpx.post(f"{door.address}/v1/events?key=k0", content=body, headers=headers)


@pytest.fixture
def signing(door):
    """The door, with one key that signs."""
    door.key("acme", signing_secret=SECRET)
    return door


def test_who_signs_needs_no_other_key(signing):
    """The key's id in the address says whose signature it is."""
    assert signed(signing, json.dumps(EVENT)).status_code == 202


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"secret": "whsec_b3RoZXI="}, "No matching signature"),
        ({"ago": timedelta(minutes=6)}, "too old"),
        ({"ago": timedelta(minutes=-6)}, "too new"),
        ({"webhook-signature": "v1,bm90aGluZw=="}, "No matching signature"),
        ({"webhook-signature": "garbage"}, "sign as standardwebhooks.com describes"),
        ({"webhook-timestamp": "soon"}, "Invalid"),
        ({"webhook-id": "m-2"}, "No matching signature"),
    ],
)
def test_a_wrong_signature_is_refused(signing, change, said):
    """Whatever is wrong with it; nothing is taken in."""
    answer = signed(signing, json.dumps(EVENT), **change)
    assert answer.status_code == 401
    assert said in answer.json()["detail"]
    assert accepted(signing) == 0


def test_a_body_that_was_changed_is_refused(signing):
    """The signature is of what was signed."""
    good = json.dumps(EVENT)
    at = datetime.now(UTC)
    signature = Webhook(SECRET).sign("m-1", at, good)
    answer = signed(signing, good.replace("late", "soon"), at=at, **{"webhook-signature": signature})
    assert answer.status_code == 401


def test_a_signature_that_was_accepted_is_no_good_again(signing):
    """Who recorded a request cannot send it once more; its sender signs again, and it is a duplicate."""
    at, body = datetime.now(UTC), json.dumps(EVENT)
    assert signed(signing, body, at=at).status_code == 202
    assert signed(signing, body, at=at).status_code == 409
    again = signed(signing, body, at=at + timedelta(seconds=1))
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")


def test_a_key_that_signs_does_not_send_unsigned(signing):
    """Its token alone is not enough, nor is its id."""
    token = {"authorization": "Bearer pst_k0_secret-of-k0"}
    assert httpx.post(f"{signing.address}/v1/events", json=EVENT, headers=token).status_code == 401
    assert httpx.post(f"{signing.address}/v1/events?key=k0", json=EVENT).status_code == 401


def test_a_signature_that_was_refused_for_another_reason_may_come_again(settings_of, door):
    """The very bytes that came too early are taken when they come later, as `retry-after` asks for."""
    door.key("acme", signing_secret=SECRET)
    with served(settings_of(http_events_per_s=1)) as address:
        busy = Door(address, door.book)
        for number in range(2):
            signed(busy, json.dumps(EVENT | {"id": f"before-{number}"}), message=f"m-{number}")
        at, body = datetime.now(UTC), json.dumps(EVENT)
        assert signed(busy, body, at=at, message="again").status_code == 429
        answer = httpx.Response(429)
        while answer.status_code == 429:
            answer = signed(busy, body, at=at, message="again")
        assert answer.status_code == 202


@pytest.mark.parametrize("written", ["{}.0", "+{}", "{}.5"])
def test_a_time_is_written_in_one_way(signing, written):
    """Else one signature would be many."""
    at, body = datetime.now(UTC), json.dumps(EVENT)
    answer = signed(signing, body, at=at, **{"webhook-timestamp": written.format(int(at.timestamp()))})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["/v1/events/" + "0" * 32, "/v1/batches/b", "/v1/deliverables/d", "/v1/tasks/" + "0" * 32]
)
def test_a_keys_id_reads_nothing(signing, path):
    """It stands in addresses: with whatever signature, it is no key."""
    answer = httpx.get(f"{signing.address}{path}?key=k0", headers={"webhook-signature": "v1,eA=="})
    assert answer.status_code == 401


def test_who_has_no_key_is_sent_away_before_a_body_is_read(door):
    """However much of it there is."""
    for path in ("/v1/events", "/v1/tasks"):
        answer = httpx.post(f"{door.address}{path}", content=b"x" * 5_000_000)
        assert answer.status_code == 401


def test_a_route_makes_nothing_of_one_tenants_another_tenants(settings_of, door, tmp_path):
    """Whatever a record says deeper down, a key sends for its own."""
    routes = tmp_path / "routes.toml"
    routes.write_text(
        '[[route]]\nname = "deep"\npattern = { source = ["app"] }\nfields = { tenant = ["data.org"] }\n'
    )
    with served(settings_of(routes=routes)) as address:
        acme = door.client()
        acme.base_url = address
        theirs = acme.post("/v1/events", json=EVENT | {"data": {"text": "x", "org": "beta"}})
        ours = acme.post("/v1/events", json=EVENT | {"data": {"text": "x", "org": "acme"}})
    assert (theirs.status_code, ours.status_code) == (422, 202)
    assert "may send for no other" in theirs.json()["detail"]


def test_a_tenant_sends_so_much_a_second(settings_of, door):
    """More is refused with the time to wait; another tenant is not concerned."""
    with served(settings_of(http_events_per_s=5)) as address:
        acme, beta = door.client(), door.client("beta")
        acme.base_url = beta.base_url = address
        answers = [acme.post("/v1/events", json=EVENT | {"id": str(number)}) for number in range(12)]
        assert [one.status_code for one in answers[:10]] == [202] * 10
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert beta.post("/v1/events", json=EVENT).status_code == 202


def test_a_body_has_a_largest_size(settings_of, door):
    """By what its sender says of it, and by what comes."""
    token = {"authorization": f"Bearer {door.key('acme')}", "content-type": "application/json"}
    with served(settings_of(http_body_bytes=10_000)) as address:
        told = httpx.post(f"{address}/v1/events", content=b"x" * 10_001, headers=token)
        streamed = httpx.post(
            f"{address}/v1/events", content=(b"x" * 1_000 for _ in range(11)), headers=token
        )
    assert told.status_code == streamed.status_code == 413
    assert "10,000 bytes" in told.json()["detail"]


def test_a_tenant_may_have_limits_of_its_own(settings_of, door):
    """Of events a second and of bytes; all others have the usual ones."""
    own = {"acme": {"events_per_s": 1, "body_bytes": 2_000}, "beta": {"events_per_s": 100}}
    with served(settings_of(http_by_tenant=own, http_body_bytes=10_000, http_events_per_s=1)) as address:
        acme, beta, other = door.client(), door.client("beta"), door.client("other")
        acme.base_url = beta.base_url = other.base_url = address
        long = EVENT | {"data": {"text": "late " * 600}}
        assert acme.post("/v1/events", json=long).status_code == 413
        assert other.post("/v1/events", json=long).status_code == 202
        several = [beta.post("/v1/events", json=EVENT | {"id": str(number)}) for number in range(20)]
        assert {one.status_code for one in several} == {202}
        few = [acme.post("/v1/events", json=EVENT | {"id": str(number)}) for number in range(4)]
        assert few[-1].status_code == 429
