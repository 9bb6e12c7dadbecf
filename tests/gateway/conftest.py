"""The gateway as its clients have it: a real server on loopback, spoken to over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from pydantic import SecretStr

from gateway.cli.serve import server_of
from ledger.api_keys import make_key
from ledger.engine import Ledger, close_ledger, open_ledger
from tasks.runtime import utc_now
from tasks.settings import Settings

EVENT = {"id": "1", "source": "app", "type": "feedback.submitted", "data": {"text": "late"}}


@contextmanager
def served(settings) -> Iterator[str]:
    """The address of a gateway for the time of the block."""
    server = server_of(settings, "127.0.0.1", 0)
    running = threading.Thread(target=server.run)
    running.start()
    try:
        while not server.started:
            assert running.is_alive()
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        running.join()


@dataclass
class Door:
    """A gateway, its ledger, and keys to it."""

    address: str
    book: Ledger

    def key(self, tenant: str, *, signing_secret: str | None = None) -> str:
        """A new key of a tenant."""
        number = f"k{len(self.made)}"
        self.made.append(number)
        given = {
            "key_id": number,
            "secret": f"secret-of-{number}",
            "tenant": tenant,
            "name": "",
            "now": utc_now(),
        }
        return make_key(self.book, **given, signing_secret=signing_secret)

    def __post_init__(self) -> None:
        self.made: list[str] = []

    def client(self, tenant: str = "acme") -> httpx.Client:
        """A client that sends a key of the tenant with every request."""
        return httpx.Client(
            base_url=self.address, headers={"authorization": f"Bearer {self.key(tenant)}"}, timeout=30
        )


@pytest.fixture
def settings_of(tmp_path, ledger_url):
    """Settings of a home of its own."""
    return lambda **given: Settings(**{"home": tmp_path, "database_url": SecretStr(ledger_url)} | given)


@pytest.fixture
def door(settings_of, ledger_url):
    """A gateway with the usual settings."""
    with served(settings_of()) as address:
        book = open_ledger(ledger_url)
        yield Door(address, book)
        close_ledger(book)


@pytest.fixture
def acme(door):
    """A client of the tenant acme."""
    with door.client() as client:
        yield client
