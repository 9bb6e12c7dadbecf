"""What all tests share: a Prefect server for the session, offline models on demand, and no way to a real model."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Nothing in the tests may reach a provider or an operator's own installation.
for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "PENSTOCK_", "PREFECT_"))]:
    del os.environ[name]

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a running Prefect server that this process's client uses."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings  # noqa: PLC0415

    from deployments.services import prefect_server, stop_services  # noqa: PLC0415
    from tasks.settings import Settings  # noqa: PLC0415

    home = tmp_path_factory.mktemp("penstock")
    settings = Settings(home=home)
    server = prefect_server(settings)
    try:
        with temporary_settings({PREFECT_API_URL: server.url, PREFECT_HOME: home / "prefect"}):
            yield home
    finally:
        stop_services(settings)
