"""Liveness and readiness of a warm worker, asked over HTTP as an orchestrator asks."""

import threading
import time
from contextlib import asynccontextmanager

import httpx
import pytest

from deployments.warm.health import Health, answering
from deployments.warm.host import Host
from tasks.runtime import runtime
from tasks.setting_fields import SettingsError
from tasks.settings import Settings


@pytest.fixture
def host(tmp_path):
    """A host that shares the runtime of a home of its own; closed at the end."""
    settings = Settings(home=tmp_path, offline_url="http://127.0.0.1:9")

    @asynccontextmanager
    async def opened():
        async with runtime(settings) as run:
            yield run

    made = Host(opened)
    made.start()
    return made


def asked(port, path):
    """The status and the reasons."""
    answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=20)
    return answer.status_code, answer.json()["because"]


def test_a_worker_is_alive_at_once_and_ready_when_what_runs_share_is_open(host, closed_port, run_async):
    """And neither pretends: before that, /readyz says what is missing."""
    with answering("127.0.0.1", closed_port, Health(host, lambda: False, lambda: True)):
        assert asked(closed_port, "/livez") == (200, [])
        assert asked(closed_port, "/readyz") == (503, ["what runs share is not open yet"])
        run_async(host.ready())
        assert asked(closed_port, "/readyz") == (200, [])
        run_async(host.close())


def test_what_keeps_work_from_getting_on_is_named_and_is_no_death(host, closed_port, run_async):
    """A worker that stops, or whose server is away, is not ready; a new process would not help."""
    run_async(host.ready())
    with answering("127.0.0.1", closed_port, Health(host, lambda: True, lambda: False)):
        assert asked(closed_port, "/livez") == (200, [])
        status, because = asked(closed_port, "/readyz")
        assert status == 503
        assert because == ["the worker is stopping", "the Prefect server has not answered for a while"]
    run_async(host.close())


def test_a_loop_that_stands_still_is_a_death(host, closed_port, run_async):
    """Asked from another thread, so the answer comes all the same."""
    go_on = threading.Event()
    run_async(host.ready())

    async def stand_still():
        go_on.wait(60)

    with answering("127.0.0.1", closed_port, Health(host, lambda: False, lambda: True, patience_s=0.2)):
        standing = threading.Thread(target=lambda: run_async(host._there(stand_still())))
        standing.start()
        deadline = time.monotonic() + 20
        while host.answers(0.2):
            assert time.monotonic() < deadline
        status, because = asked(closed_port, "/livez")
        go_on.set()
        standing.join()
        assert status == 503
        assert "has not answered for 0.2 s" in because[0]
        assert asked(closed_port, "/livez") == (200, [])
    run_async(host.close())


def test_an_address_that_is_taken_is_refused_by_name(host, closed_port, run_async):
    """By the setting that names it."""
    health = Health(host, lambda: False, lambda: True)
    with (
        answering("127.0.0.1", closed_port, health),
        pytest.raises(SettingsError, match="PENSTOCK_HEALTH_PORT"),
        answering("127.0.0.1", closed_port, health),
    ):
        pass
    run_async(host.close())
