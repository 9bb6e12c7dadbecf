"""Tasks over HTTP: accepted, worked on, and a call back when they have ended."""

import asyncio

import pytest
from standardwebhooks.webhooks import Webhook

from contracts.batches import BatchState
from ledger.batches import create_batches
from ledger.claims import claim_next
from ledger.deliveries import commit_batch
from ledger.pending import pending_events
from ledger.transitions import Settlement, settle_batch
from tasks.batch_policy import BatchPolicy
from tasks.batching import closing_now, plan_batches
from tasks.callbacks import call_back
from tasks.runtime import runtime, utc_now
from tests.channels.conftest import receiver
from tests.gateway.conftest import Door, served
from tests.ledger.conftest import Make

__all__ = ["receiver"]
make = Make()
TASK = {"prompt": "Summarise what customers say of the export."}


@pytest.fixture
def local(settings_of, door):
    """A gateway that may call this machine, a client of it, and its settings."""
    settings = settings_of(webhook_networks=["127.0.0.0/8"], offline_url="http://127.0.0.1:9")
    with served(settings) as address:
        local = Door(address, door.book)
        local.made = door.made
        with local.client() as client:
            yield local, client, settings


def work(door, *, fails=False):
    """Batch what is there, and bring every batch to its end."""
    now = utc_now()
    create_batches(door.book, plan_batches(pending_events(door.book), closing_now(BatchPolicy()), now), now)
    while (
        work := claim_next(door.book, lease_id="l", owner="w", now=now, lease_for=10 * make.minute)
    ) is not None:
        if fails:
            settle_batch(door.book, work.batch.id, "l", Settlement(BatchState.FAILED, "no"), now)
        else:
            made = [make.deliverable(work.batch.id, 1).model_copy(update={"id": f"d-{work.batch.id}"})]
            commit_batch(door.book, work.batch.id, "l", made, [], now)


def call(settings):
    """What a dispatcher does."""

    async def once():
        async with runtime(settings) as run:
            return await call_back(run)

    return asyncio.run(once())


@pytest.mark.parametrize(("fails", "kind"), [(False, "task.done"), (True, "task.failed")])
def test_who_asked_is_called_when_it_is_done(local, receiver, fails, kind):
    """Once, signed with the secret that was answered, and with what was made."""
    door, client, settings = local
    accepted = client.post("/v1/tasks", json=TASK | {"callbackUrl": receiver.url})
    assert accepted.status_code == 202
    task = accepted.json()
    assert client.get(task["status"]).json()["status"] == "waiting"
    assert call(settings) == 0
    work(door, fails=fails)
    assert [call(settings), call(settings)] == [1, 0]
    ((headers, body),) = receiver.got
    told = Webhook(task["callbackSecret"]).verify(body, headers)
    assert (told["type"], told["data"]["id"]) == (kind, task["task"])
    assert len(told["data"]["deliverables"]) == (0 if fails else 1)
    status = client.get(task["status"]).json()
    assert status["status"] == ("failed" if fails else "done")
    assert status["callback"] == {"state": "SENT", "attempts": 1, "lastError": None}
    for link in status["deliverables"]:
        assert client.get(link).status_code == 200


def test_the_same_task_sent_again_is_one(local, receiver):
    """By its id: one event, one callback, and the secret is shown once."""
    door, client, settings = local
    body = TASK | {"id": "t-1", "callbackUrl": receiver.url}
    first, again = client.post("/v1/tasks", json=body).json(), client.post("/v1/tasks", json=body).json()
    assert first["task"] == again["task"]
    assert again["callbackSecret"] is None
    work(door)
    assert call(settings) == 1


def test_a_callback_that_is_not_taken_is_tried_again(local, receiver):
    """And says how far it is."""
    door, client, settings = local
    receiver.statuses = [503]
    task = client.post("/v1/tasks", json=TASK | {"callbackUrl": receiver.url}).json()
    work(door)
    assert call(settings) == 0
    told = client.get(task["status"]).json()["callback"]
    assert (told["state"], told["attempts"]) == ("PENDING", 1)
    assert "answered 503" in told["lastError"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"priority": "SOON"}, "priority"),
        ({"question": "?"}, "question"),
        ({"callbackUrl": "https://169.254.169.254/latest"}, "no public address"),
        ({"callbackUrl": "file:///etc/passwd"}, "https://"),
        ({"documentReference": "s3://theirs/secret.txt"}, "below a place of yours: none is set"),
        ({"documentReference": "https://example.com/a"}, "documentReference"),
    ],
)
def test_what_is_no_task_is_refused(acme, change, said):
    """Before anything of it is kept."""
    answer = acme.post("/v1/tasks", json=TASK | change)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_nobody_sees_anothers_task(door, acme):
    """Nor an event that is no task."""
    task = acme.post("/v1/tasks", json=TASK).json()
    with door.client("beta") as beta:
        assert beta.get(task["status"]).status_code == 404
    assert acme.get("/v1/tasks/zz").status_code == 404


def test_a_callback_that_cannot_be_called_is_nobody_elses_trouble(local, receiver):
    """Whatever is wrong with one address, the others are called, and it is settled."""
    door, client, settings = local
    odd = client.post("/v1/tasks", json=TASK | {"callbackUrl": "https://b\u00fccher.invalid/"}).json()
    good = client.post("/v1/tasks", json=TASK | {"callbackUrl": receiver.url}).json()
    work(door)
    assert call(settings) == 1
    assert client.get(good["status"]).json()["callback"]["state"] == "SENT"
    assert client.get(odd["status"]).json()["callback"]["attempts"] == 1


def test_a_task_has_a_largest_size(acme):
    """As an event has."""
    assert acme.post("/v1/tasks", json={"prompt": "x" * 300_000}).status_code == 413
