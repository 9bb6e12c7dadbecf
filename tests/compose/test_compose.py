"""`deployments/compose.yaml`: whole, with the settings that have their reasons, and driven for real on loopback."""

import json

import pytest
import yaml

from benchmarks.replicas import COMPOSE, replicas
from deployments.server_settings import CLIENT, replica_environment
from tasks.settings import Settings

FILE = yaml.safe_load(COMPOSE.read_text())
SERVICES = FILE["services"]
BATCHES = 8
LEASE_S = "20"


def test_servers_have_the_settings_that_stand_with_their_reasons():
    """Those of `replica_environment`, to the last."""
    wanted = replica_environment(
        "postgresql+asyncpg://postgres:postgres@postgres:5432/prefect", "redis://redis:6379/0"
    )
    assert FILE["x-server"] == wanted
    for name in ("migrate", "server", "services"):
        assert SERVICES[name]["environment"].items() >= wanted.items()
    assert FILE["x-client"].items() >= CLIENT.items()


def test_every_service_waits_for_one_that_exists_and_whose_health_is_asked():
    """No dependency on a name with a slip, none on the health of what nobody asks."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], name
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in FILE["volumes"], name


def test_every_service_that_stays_is_asked_for_its_health():
    """What ends when it is done is waited for instead."""
    ends = {
        other
        for service in SERVICES.values()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert ends == {"migrate", "deploy"}
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == ends


def test_workers_settings_are_settings(monkeypatch, tmp_path):
    """Every PENSTOCK_ name in the file is one that exists, with a value that it takes."""
    for name, value in FILE["x-client"].items():
        if not value.startswith("${"):
            monkeypatch.setenv(name, value)
    known = {f"PENSTOCK_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in FILE["x-client"] if name.startswith("PENSTOCK_")} <= known
    settings = Settings(home=tmp_path)
    assert settings.logs == "json"
    assert settings.health_port == 8080
    assert settings.prefect_api_url == FILE["x-client"]["PREFECT_API_URL"]
    assert settings.offline_url == FILE["x-client"]["PENSTOCK_OFFLINE_URL"]
    assert settings.ledger_url.startswith("postgresql")


def test_what_workers_write_outlives_them_and_is_the_same_for_all():
    """Deliverables that the ledger calls delivered, and what `erase` removes, are not in one container's own files."""
    mounts = dict(volume.split(":") for volume in SERVICES["worker"]["volumes"])
    image = (COMPOSE.parent / "Dockerfile").read_text()
    assert f"PENSTOCK_HOME={mounts['state']}" in image
    assert "RUN mkdir state" in image


def test_the_image_is_built_without_anybodys_state_secrets_or_history():
    """What the installation's own folder holds, and what git and the environments hold, is no part of a context."""
    left_out = set((COMPOSE.parents[1] / ".dockerignore").read_text().splitlines())
    assert left_out >= {".git", ".venv", ".penstock"}


def at_work(made) -> list[int]:
    """The workers whose logs speak of a batch, each line with its own."""
    logs = [made.home / f"worker-{number}.log" for number in range(len(made.running["worker"]))]
    lines = [log.read_text().splitlines() for log in logs]
    return [
        number
        for number, said in enumerate(lines)
        if any(json.loads(line)["batch"] for line in said if line.endswith("}"))
    ]


@pytest.mark.timeout(900)  # eight processes, which begin twice, beside whatever else is tested
def test_it_works_and_outlives_one_of_its_servers_and_one_of_its_workers(tmp_path, lines_of, wait_until):
    """The same commands as processes: an API server and the worker at work killed, all batches done once."""
    with replicas(tmp_path, PENSTOCK_LEASE_S=LEASE_S) as made:
        made.command("ingest", "-", stdin="".join(lines_of(f"tenant-{n}", 10) for n in range(BATCHES)))
        wait_until(lambda: made.is_healthy("services") and made.is_healthy("model"), "what serves is healthy")
        wait_until(lambda: at_work(made), "work has begun")
        first = at_work(made)[0]
        made.running["worker"][first].kill()
        made.running["server"][0].kill()

        def status():
            return json.loads(made.command("status", "--json"))

        assert status()["batches"]["by_state"].keys() != {"DONE"}
        wait_until(lambda: status()["batches"]["by_state"] == {"DONE": BATCHES}, "all is done")
        wait_until(lambda: not status()["undelivered"], "all is delivered")
        assert status()["deliverables"]["total"] > 0
        assert 1 - first in at_work(made)
        assert not any("Traceback" in path.read_text() for path in tmp_path.glob("server-*.log"))
        made.running["services"][0].kill()
        wait_until(lambda: not made.is_healthy("services"), "it is seen that the services are gone")
        assert made.is_healthy("model")
