"""Processes of our own: found again, told apart from others, stopped, and clear about a start that fails."""

import json
import os
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from deployments import processes
from deployments.server_settings import client_environment, server_environment
from deployments.services import (
    FAVOURITE_PORT,
    Service,
    ServiceError,
    answers,
    offline_model,
    prefect_server,
    running_services,
    stop_services,
    ui_url,
    use_prefect,
)
from tasks.settings import Settings


@pytest.fixture
def home(tmp_path, with_prefect):
    """Settings of a home of the test's own; what was started in it is stopped."""
    settings = Settings(home=with_prefect(tmp_path))
    yield settings
    stop_services(settings)


def note_of(settings, service) -> dict[str, object]:
    """The note a service left."""
    return json.loads((settings.home / "services" / f"{service.name}.json").read_text())


def test_the_prefect_server_is_found_again(prefect_home):
    """The second call starts nothing: the same address and process, which answers as a Prefect API does."""
    settings = Settings(home=prefect_home)
    first, again = prefect_server(settings), prefect_server(settings)
    assert first == again
    assert first in running_services(settings)
    assert note_of(settings, first) == {"name": "prefect", "url": first.url, "pid": first.pid}
    assert httpx.get(f"{first.url}/health").json() is True
    assert ui_url(first) == first.url.removesuffix("/api")


def test_the_ui_of_a_server_asks_that_server(home):
    """Also where another has the port that everybody's is on: what people see is their own."""
    with closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Taken by us or by somebody else: in both cases not to be had.
        with suppress(OSError):
            other.bind(("127.0.0.1", FAVOURITE_PORT))
            other.listen()
        server = prefect_server(home)
    assert urlsplit(server.url).port != FAVOURITE_PORT
    assert httpx.get(f"{ui_url(server)}/ui-settings").json()["api_url"] == server.url


def test_the_prefect_server_records_in_batches(prefect_home):
    """The settings that make a task run cheap have reached the server that runs."""
    server = prefect_server(Settings(home=prefect_home))
    environment = psutil.Process(server.pid).environ()
    expected = server_environment(prefect_home, server.url)
    assert {name: environment[name] for name in expected} == expected


def test_an_operators_prefect_server_is_used_as_it_is(home):
    """PREFECT_API_URL names it; nothing is started, and it is not ours to stop."""
    elsewhere = Settings(home=home.home, PREFECT_API_URL="https://prefect.example/api")
    assert prefect_server(elsewhere) == Service("prefect", "https://prefect.example/api", None)
    assert running_services(elsewhere) == ()


def test_processes_that_want_a_service_at_once_start_one(home):
    """Three of them get the same; nothing is left that nobody has a note of."""
    code = (
        "from tasks.settings import load_settings; from deployments.services import offline_model; "
        "print(offline_model(load_settings()).pid)"
    )
    environment = os.environ | {"PENSTOCK_HOME": str(home.home)}
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    pids = {int(process.communicate()[0]) for process in started}
    stopped = stop_services(home)
    assert pids == {service.pid for service in stopped}
    assert not any(map(psutil.pid_exists, pids))


def test_a_service_that_is_too_busy_to_answer_is_waited_for_and_not_doubled(home, wait_until):
    """On a full machine it may not answer for seconds: whoever wants it then gets the same one."""
    service = offline_model(home)
    psutil.Process(service.pid).suspend()
    try:
        with ThreadPoolExecutor(1) as other:
            found = other.submit(offline_model, home)
            wait_until((home.home / "services" / "offline-model.lock").exists, "somebody has asked for it")
            assert running_services(home) == ()
            psutil.Process(service.pid).resume()
            assert found.result(60) == service
    finally:
        psutil.Process(service.pid).resume()


def test_a_service_that_does_not_answer_is_stopped_all_the_same(home, monkeypatch):
    """`penstock down` means every process that was started here."""
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.5)
    service = offline_model(home)
    psutil.Process(service.pid).suspend()
    assert stop_services(home) == (service,)
    assert not psutil.pid_exists(service.pid)


def test_the_offline_model_is_started_found_and_stopped(home):
    """It answers on loopback, is the same on a second call, and is gone after `stop_services`."""
    service = offline_model(home)
    assert service == offline_model(home)
    assert urlsplit(service.url).hostname == "127.0.0.1"
    assert httpx.get(f"{service.url}/offline/stats").json()["messages"] == 0
    assert running_services(home) == (service,)
    assert stop_services(home) == (service,)
    assert not psutil.pid_exists(service.pid)
    assert not answers(service.name, service.url)
    assert (running_services(home), stop_services(home)) == ((), ())


def test_with_a_provider_there_is_no_offline_model(tmp_path):
    """A key is enough: nothing is started."""
    settings = Settings(home=tmp_path, ANTHROPIC_API_KEY="sk-test")
    assert offline_model(settings) is None
    assert not (tmp_path / "services").exists()


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[1]",
        '{"name": "offline-model"}',
        '{"name": "offline-model", "url": "http://127.0.0.1:9", "pid": null}',
        '{"name": "offline-model", "url": "http://127.0.0.1:9", "pid": 4194304}',
    ],
)
def test_a_stale_note_is_no_service(home, note):
    """Half a note, or one of a process that is gone, is as good as none."""
    folder = home.home / "services"
    folder.mkdir()
    (folder / "offline-model.json").write_text(note)
    assert running_services(home) == ()


def test_a_note_never_points_at_somebody_elses_process(home, tmp_path):
    """Process ids and ports are used again: a process that does not listen there is neither used nor stopped."""
    service = offline_model(home)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        other = Settings(home=tmp_path / "other")
        folder = other.home / "services"
        folder.mkdir(parents=True)
        stale = {"name": service.name, "url": service.url, "pid": bystander.pid}
        (folder / "offline-model.json").write_text(json.dumps(stale))
        assert running_services(other) == ()
        assert stop_services(other) == ()
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")
    assert running_services(home) == (service,)


@pytest.mark.parametrize(("start", "name"), [(offline_model, "offline-model"), (prefect_server, "prefect")])
def test_a_start_that_fails_names_its_log(home, monkeypatch, start, name):
    """The process ended: its code and the file that says why, and no note of it."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    log = home.home / "logs" / f"{name}.log"
    with pytest.raises(ServiceError, match=f"{name} ended with code 1 at its start; see {log}"):
        start(home)
    assert "PYTHONHOME" in log.read_text()
    assert running_services(home) == ()


def test_a_port_that_is_taken_just_before_the_start_is_no_failure(home, monkeypatch):
    """Somebody was quicker: the service comes up on another port."""
    free = processes._free_port
    with closing(socket.socket()) as quicker:
        quicker.bind(("127.0.0.1", 0))
        quicker.listen()
        ports = [quicker.getsockname()[1]]
        monkeypatch.setattr(processes, "_free_port", lambda wish: ports.pop() if ports else free(wish))
        service = offline_model(home)
        assert urlsplit(service.url).port != quicker.getsockname()[1]
    assert stop_services(home) == (service,)


def test_the_favourite_port_is_left_to_whoever_has_it(home):
    """4200 is taken: another free port is chosen, on loopback."""
    with closing(socket.socket()) as taken:
        try:
            taken.bind(("127.0.0.1", FAVOURITE_PORT))
            taken.listen()
        except OSError:
            pass  # somebody else has it: just as good
        assert processes._free_port(FAVOURITE_PORT) != FAVOURITE_PORT
    assert processes._free_port(0) > 0
    assert home.home.is_dir()


def test_this_process_speaks_to_the_service_it_is_given(tmp_path, monkeypatch):
    """Address and home of the service stand in the environment, for Prefect to read."""
    settings = Settings(home=tmp_path)
    for name in client_environment(tmp_path, "http://127.0.0.1:9/api"):
        monkeypatch.setenv(name, "before")  # what it was comes back after the test
    use_prefect(settings, Service("prefect", "http://127.0.0.1:9/api", 1))
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:9/api"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")


def test_certificates_are_read_where_they_are_needed_and_else_one_that_vouches_for_nothing(tmp_path):
    """Prefect reads them for every connection: all for HTTPS, for plain HTTP a single one without a key."""
    said = client_environment(tmp_path, "http://127.0.0.1:9/api")
    context = ssl.create_default_context(cafile=said["PREFECT_API_SSL_CERT_FILE"])
    assert [dict(one["subject"][0]) for one in context.get_ca_certs()] == [{"commonName": "nobody"}]
    assert "PREFECT_API_SSL_CERT_FILE" not in client_environment(tmp_path, "https://prefect.example/api")
