"""Webhooks: signed, bounded, retried by the outbox, and never led into the operator's own network."""

import asyncio
import ipaddress
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from ledger.dead_letters import list_letters
from ledger.outbox import undelivered
from ledger.subscriptions import end_subscription, list_subscriptions
from tasks.channels import RefusedTargetError, webhooks
from tasks.channels.addresses import check_url, resolved
from tasks.publisher import CHANNELS, FIRST_WAIT
from tasks.settings import Settings
from tests.channels.conftest import SECRET

PUBLIC = (
    "https://example.com/hook",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]:8443/x",
    "https://EXAMPLE.com",
)


def test_a_deliverable_is_posted_and_signed(sending, receiver, monkeypatch):
    """The receiver checks it with the library of Standard Webhooks, and knows it again by its id."""
    sending.subscribe("webhook", receiver.url)
    (made,) = sending.commit(1)
    assert [sending.publish(), sending.publish()] == [1, 0]
    ((headers, body),) = receiver.got
    assert headers["webhook-id"] == f"{made.id}:webhook:s1"
    assert headers["host"] == receiver.url.split("/")[2]
    # The library asks the machine's clock; the installation's stands at noon of another day.
    monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", lambda _, said: said_at(said))
    told = Webhook(SECRET).verify(body, headers)
    assert (told["type"], told["data"]) == ("deliverable.published", made.model_dump(mode="json"))


def said_at(text):
    """A time of the wire."""
    return datetime.fromtimestamp(int(text), UTC)


@pytest.mark.parametrize("status", [500, 429, 404, 302, 304])
def test_what_is_not_taken_is_sent_again_later(sending, receiver, clock, status):
    """Under the same id; what a redirect names is not called."""
    receiver.statuses, receiver.location = [status], receiver.url + "&redirected"
    sending.subscribe("webhook", receiver.url)
    sending.commit(1)
    assert sending.publish() == 0
    assert sending.publish() == 0
    clock.advance(seconds=FIRST_WAIT.total_seconds())
    assert sending.publish() == 1
    assert len(receiver.got) == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_a_receiver_that_says_it_is_gone_gets_nothing_more(sending, receiver):
    """410 ends its subscription; what it did not take is a dead letter, that can be sent elsewhere."""
    receiver.statuses = [410]
    sending.subscribe("webhook", receiver.url)
    sending.commit(1)
    assert sending.publish() == 0
    (letter,) = list_letters(sending.book)
    assert "says that it is gone" in letter.message
    assert list_subscriptions(sending.book)[0].ended_at is not None
    sending.commit(2)
    assert sending.publish() == 0
    assert len(receiver.got) == 1


def test_a_receiver_that_says_so_twice_is_gone_once(sending, receiver):
    """Two deliverables on their way at once: both are dead letters, and nothing else stops."""
    receiver.statuses = [410, 410]
    sending.subscribe("webhook", receiver.url)
    sending.commit(1, 2)
    assert sending.publish() == 0
    assert len(list_letters(sending.book)) == 2


def test_a_channel_that_breaks_holds_up_no_other(sending, receiver):
    """Whatever comes out of it: the message is tried again, the others leave."""

    async def broken(_run, _message):
        raise LookupError("nobody thought of this")

    sending.subscribe("webhook", receiver.url)
    sending.subscribe("sns", "arn:aws:sns:eu-west-1:123456789012:x", number="2")
    sending.commit(1)
    assert sending.publish({**CHANNELS, "sns": broken}) == 1
    assert len(receiver.got) == 1
    assert undelivered(sending.book).count == 1


def test_what_waits_for_an_ended_subscription_is_not_sent(sending, receiver, clock):
    """Whoever ends it means it."""
    sending.subscribe("webhook", receiver.url)
    sending.commit(1)
    end_subscription(sending.book, "s1", clock.now)
    assert sending.publish() == 0
    assert receiver.got == []
    assert "has ended" in list_letters(sending.book)[0].message


def test_a_receiver_that_hangs_is_waited_for_so_long(sending, receiver, monkeypatch):
    """And holds up none of the others."""
    monkeypatch.setattr(webhooks, "WITHIN_S", 0.3)
    receiver.hangs = threading.Event()
    sending.subscribe("webhook", receiver.url)
    sending.subscribe("webhook", receiver.url, tenant="other", number="2")
    sending.commit(1)
    assert sending.publish() == 0
    receiver.hangs.set()
    receiver.hangs = None
    sending.commit(2, tenant="other")
    assert sending.publish() == 1


def test_everybody_who_subscribed_gets_it_and_nobody_else(sending, receiver):
    """Two subscriptions of the tenant and one of all: three posts; another tenant's gets nothing."""
    for number, tenant in enumerate(("acme", "acme", None, "beta")):
        sending.subscribe("webhook", receiver.url, tenant=tenant, number=str(number))
    sending.commit(1)
    assert sending.publish() == 3
    keys = {headers["webhook-id"].rpartition(":")[2] for headers, _ in receiver.got}
    assert keys == {"s0", "s1", "s2"}


PRIVATE = (
    "https://127.0.0.1/",
    "https://10.0.0.8/x",
    "https://192.168.1.1",
    "https://169.254.169.254/latest/meta-data",
    "https://0.0.0.0",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[fd00::1]/",
    "https://[fe80::1]/",
    "https://[2002:7f00:1::]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://100.64.0.1/",
)
UNFIT = (
    "http://example.com",
    "ftp://example.com",
    "https://",
    "https://a:b@example.com",
    "https://example.com:99999",
    "x",
)


@pytest.mark.parametrize("url", PRIVATE)
def test_nothing_private_is_called(url):
    """By whatever form its address is written in."""
    with pytest.raises(RefusedTargetError, match="no public address; PENSTOCK_WEBHOOK_NETWORKS"):
        asyncio.run(resolved(url, ()))


@pytest.mark.parametrize("url", ["https://localhost/", "https://localhost.localdomain:8443/"])
def test_a_name_that_leads_inside_is_not_called(url, sending):
    """What it leads to is checked, and not how it is called; it is no matter of trying again."""
    sending.settings = Settings(
        home=sending.settings.home,
        database_url=sending.settings.database_url,
        offline_url="http://127.0.0.1:9",
    )
    sending.subscribe("webhook", url)
    sending.commit(1)
    assert sending.publish() == 0
    letters = list_letters(sending.book)
    assert letters == () or "no public address" in letters[0].message


@pytest.mark.parametrize("url", UNFIT)
def test_what_is_no_address_of_a_receiver_is_refused(url):
    """Before anything is kept of it."""
    with pytest.raises(RefusedTargetError, match=r"is not called|is no address"):
        check_url(url, ())


@pytest.mark.parametrize("url", PUBLIC)
def test_public_addresses_may_be_called(url):
    """By name and by number."""
    assert check_url(url, ()).scheme == "https"


@given(st.ip_addresses())
def test_an_address_is_called_only_if_it_is_public(address):
    """As Python's own registry of special addresses has it."""
    host = f"[{address}]" if address.version == 6 else str(address)
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    public = inner.is_global and not inner.is_multicast and not inner.is_reserved
    try:
        check_url(f"https://{host}/", ())
    except RefusedTargetError:
        assert not public
    else:
        assert public


def test_a_network_that_is_allowed_may_be_called_without_tls():
    """Where operators say so."""
    assert check_url("http://10.1.2.3:8080/x", (ipaddress.ip_network("10.0.0.0/8"),)).port == 8080
