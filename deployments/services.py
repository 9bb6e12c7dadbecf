"""The services that a run needs on this machine: a Prefect server and, without a provider, the offline model.

Each is started when nothing answers where it should be and left running, so that the UI stays open after a run.
`penstock down` stops them.
"""

import os
import sys

from deployments.processes import Service, ServiceError, answers, running, started_once, stopped
from deployments.server_settings import client_environment, server_environment
from tasks.settings import Settings

__all__ = [
    "Service",
    "ServiceError",
    "answers",
    "offline_model",
    "prefect_server",
    "running_services",
    "stop_services",
    "ui_url",
    "use_prefect",
]

FAVOURITE_PORT = 4200
NAMES = ("prefect", "offline-model")


def prefect_server(settings: Settings, **environment: str) -> Service:
    """The Prefect API: the one `PREFECT_API_URL` names, else ours, started if it does not answer.

    `environment` is set for the one that is started, beside what `server_settings` has.
    """
    if settings.prefect_api_url:
        return Service("prefect", settings.prefect_api_url, None)
    return running(settings.home, "prefect") or started_once(
        settings.home,
        "prefect",
        url=lambda port: f"http://127.0.0.1:{port}/api",
        favourite=FAVOURITE_PORT,
        command=lambda port: [
            sys.executable,
            "-m",
            "deployments.settled_server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        environment=lambda url: server_environment(settings.home, url) | environment,
    )


def offline_model(settings: Settings) -> Service | None:
    """The offline model server, or None where a provider is configured."""
    if not settings.is_offline:
        return None
    return running(settings.home, "offline-model") or started_once(
        settings.home,
        "offline-model",
        url=lambda port: f"http://127.0.0.1:{port}",
        favourite=0,
        command=lambda port: [sys.executable, "-m", "deployments.offline_model", "--port", str(port)],
        environment=lambda _: {},
    )


def use_prefect(settings: Settings, service: Service) -> None:
    """Point this process's Prefect client at `service`. Must come before Prefect is imported."""
    os.environ.update(client_environment(settings.home, service.url))


def running_services(settings: Settings) -> tuple[Service, ...]:
    """The services of ours that answer."""
    found = (running(settings.home, name) for name in NAMES)
    return tuple(service for service in found if service is not None)


def stop_services(settings: Settings) -> tuple[Service, ...]:
    """Stop the services that this home's notes name, also those that are just being started or do not answer."""
    return tuple(service for name in NAMES if (service := stopped(settings.home, name)) is not None)


def ui_url(service: Service) -> str:
    """The Prefect UI beside an API address."""
    return service.url.removesuffix("/").removesuffix("/api")
