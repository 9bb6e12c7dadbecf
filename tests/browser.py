"""A real browser for tests of pages: Debian's Chromium without a screen, driven by its DevTools protocol."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

PATIENCE_S = 120
needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run "
    "--remote-debugging-port=0 --window-size=1280,900"
)


class Tab:
    """One page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, count(1)

    def ask(self, method: str, **given: object) -> dict[str, object]:
        """What a method of the protocol answers."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            told = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if told.get("id") == number:
                assert "error" not in told, told["error"]
                return told["result"]

    def go(self, address: str) -> None:
        """Open an address, and wait until it is there."""
        self.ask("Page.enable")
        self.ask("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> object:
        """What a script comes to in the page."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until a script comes to true."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.run(script):
            assert time.monotonic() < deadline, (
                f"gave up waiting for {script}: {self.run('document.body.innerText')}"
            )
            time.sleep(0.05)


@contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """A page of a browser that is started for it."""
    command = ["chromium", *OPTIONS.split(), f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = profile / "DevToolsActivePort"
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (told.is_file() and told.read_text().count("\n")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pages = httpx.get(f"http://127.0.0.1:{told.read_text().splitlines()[0]}/json").json()
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        with connect(address, max_size=None) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait()
