"""An address at which something answers that is not the Messages API, and odd headers: a server of our own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from contracts.content import Notice
from tasks.model.client import ModelCallError, ModelClient, ModelRequest
from tasks.model.prices import load_prices


@contextmanager
def answering(status, body, headers) -> Iterator[str]:
    """The address of a server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the base class names it

        def log_message(self, *_):
            """Nothing: the tests' output is theirs."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def error_at(url, question) -> ModelCallError:
    """The error that the client's question ends with."""

    async def once():
        async with ModelClient("key", url, 20.0, 4, load_prices()) as client:
            await question(client)

    with pytest.raises(ModelCallError) as failed:
        asyncio.run(once())
    return failed.value


def asks(client):
    """Ask for a notice."""
    return client.ask(ModelRequest("offline-extractive", "Write.", "Now.", Notice, 300), "call-1")


ODD = {
    "a web page": (b"<html>Welcome</html>", "text/html"),
    "half of a JSON": (b'{"type": ', "application/json"),
    "nothing": (b"", "application/json"),
    "a list": (b"[1]", "application/json"),
    "another object": (b'{"ok": true}', "application/json"),
    "a message without content": (b'{"type": "message", "content": null, "usage": null}', "application/json"),
}


@pytest.mark.parametrize(("body", "kind"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("question", [asks, ModelClient.reachable], ids=["ask", "reachable"])
def test_a_success_of_something_else_is_a_failure_that_names_the_setting(body, kind, question):
    """A proxy's page or another service's JSON is no answer, is not asked again, and says what to check."""
    with answering(200, body, {"content-type": kind}) as url:
        error = error_at(url, question)
    assert error.failure.kind == "invalid"
    assert "check ANTHROPIC_BASE_URL" in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("inf", None),
        ("nan", None),
        ("1e300", 86_400.0),
    ],
)
def test_only_a_finite_number_of_seconds_is_a_wish_to_wait(header, seconds):
    """Dates and nonsense in `retry-after` count as none, and more than a day as one: nobody waits for ever."""
    with answering(429, b"{}", {"content-type": "application/json", "retry-after": header}) as url:
        assert error_at(url, asks).retry_after == seconds
