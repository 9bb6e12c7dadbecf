"""Receivers of deliverables on loopback, and an installation that sends to them."""

import asyncio
import http.server
import threading
from dataclasses import dataclass, field

import pytest

from ledger.deliveries import commit_batch
from ledger.subscriptions import Subscription, channels_for, make_subscription
from tasks.publisher import CHANNELS, publish
from tasks.runtime import runtime
from tasks.settings import Settings
from tests.produce.test_delivery import deliverable

SECRET = "whsec_" + "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2g="


@dataclass
class Receiver:
    """A web server that keeps what it is sent; it answers the next `statuses`, and 200 then."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hangs: threading.Event | None = None


@pytest.fixture
def receiver():
    """One on loopback."""
    told = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            told.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if told.hangs is not None:
                told.hangs.wait(60)
            self.send_response(told.statuses.pop(0) if told.statuses else 200)
            if told.location:
                self.send_header("location", told.location)
            self.end_headers()
            self.wfile.write(b"words of the receiver " * 100_000)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        told.url = f"http://127.0.0.1:{server.server_port}/hook?a=b"
        yield told
        server.shutdown()
        serving.join()


@pytest.fixture
def sending(sqlite_url, sqlite_ledger, fill, clock, tmp_path):
    """Subscribe, commit deliverables, publish what is due."""

    class Sending:
        book = sqlite_ledger

        def __init__(self):
            self.settings = Settings(
                home=tmp_path / "home",
                database_url=sqlite_url,
                offline_url="http://127.0.0.1:9",
                webhook_networks=["127.0.0.0/8"],
            )

        def subscribe(self, kind, target, *, tenant="acme", number="1"):
            secret = SECRET if kind == "webhook" else None
            made = Subscription(f"s{number}", tenant, kind, target, secret, clock.now, None)
            make_subscription(sqlite_ledger, made)
            return made

        def commit(self, *numbers, **fields):
            work = fill.claimed(sqlite_ledger, ["It is fine."])
            made = [deliverable(clock.now, number, batch=work.batch.id, **fields) for number in numbers]
            tenant = made[0].tenant
            channels = channels_for(sqlite_ledger, tenant)
            commit_batch(sqlite_ledger, work.batch.id, work.lease, made, channels, clock.now)
            return made

        def publish(self, channels=CHANNELS):
            async def once():
                async with runtime(self.settings, clock=clock) as run:
                    return await publish(run, channels)

            return asyncio.run(once())

    return Sending()
