"""`deployments/compose.yaml`: whole, with the settings that have their reasons, and driven for real on loopback."""

import json

import yaml

from benchmarks.replicas import COMPOSE, replicas
from deployments.server_settings import replica_environment
from tasks.settings import Settings

FILE = yaml.safe_load(COMPOSE.read_text())
SERVICES = FILE["services"]
BATCHES = 12


def test_servers_have_the_settings_that_stand_with_their_reasons():
    """Those of `replica_environment`, to the last."""
    wanted = replica_environment(
        "postgresql+asyncpg://postgres:postgres@postgres:5432/prefect", "redis://redis:6379/0"
    )
    assert FILE["x-server"] == wanted
    for name in ("migrate", "server", "services"):
        assert SERVICES[name]["environment"].items() >= wanted.items()


def test_every_service_waits_for_one_that_exists_and_whose_health_is_asked():
    """No dependency on a name with a slip, none on the health of what nobody asks."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], name
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in FILE["volumes"], name


def test_workers_settings_are_settings(monkeypatch, tmp_path):
    """Every PENSTOCK_ name in the file is one that exists, with a value that it takes."""
    for name, value in FILE["x-client"].items():
        if not value.startswith("${"):
            monkeypatch.setenv(name, value)
    settings = Settings(home=tmp_path)
    assert settings.logs == "json"
    assert settings.health_port == 8080
    assert settings.prefect_api_url == FILE["x-client"]["PREFECT_API_URL"]


def test_it_works_and_outlives_one_of_its_servers_and_one_of_its_workers(tmp_path, lines_of, wait_until):
    """The same commands as processes: events in, one API server and one worker killed, all batches done once."""
    with replicas(tmp_path) as made:
        made.command("ingest", "-", stdin="".join(lines_of(f"tenant-{n}", 10) for n in range(BATCHES)))

        def done():
            return json.loads(made.command("status", "--json"))["batches"]["by_state"].get("DONE", 0)

        wait_until(lambda: done() >= 1, "work has begun")
        made.running["server"][0].kill()
        made.running["worker"][0].kill()
        wait_until(lambda: done() == BATCHES, "all is done")
        now = json.loads(made.command("status", "--json"))
        assert now["deliverables"]["total"] > 0
        assert now["undelivered"] == 0
        assert made.running["server"][1].poll() is None
        lines = (tmp_path / "worker-1.log").read_text().splitlines()
        assert any(json.loads(line)["batch"] for line in lines if line.startswith("{"))
