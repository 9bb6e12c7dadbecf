"""Settings of the embedded Prefect server and of clients that speak to it, each with its reason."""

from pathlib import Path
from typing import Final

from deployments.server_pool import sqlite_url

NOBODY: Final = Path(__file__).with_name("nobody.pem")
"""A certificate that can vouch for nothing: its key was never kept."""


def server_environment(home: Path, api_url: str) -> dict[str, str]:
    """For one machine: SQLite, few concurrent flow runs with many task runs each."""
    return {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": sqlite_url(home / "prefect" / "prefect.db"),
        # Unless it is told, the UI of a server on another port asks whoever has 4200.
        "PREFECT_SERVER_UI_API_URL": api_url,
        # Written one by one, a task run costs the server 52 to 60 ms of CPU; in batches, 13 to 18.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
        # The server works without the internet and tells nobody about its runs.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
        # In memory, the default, a server that is started again forgets who holds slots: nobody gets them back.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }


def client_environment(home: Path, api_url: str) -> dict[str, str]:
    """For processes that run flows against `api_url`."""
    return _trusting(api_url) | {
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(home / "prefect"),
        "DO_NOT_TRACK": "1",
        # Our own console output says what happens; the runs' logs are in the UI.
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        # While its server is away Prefect prints every event it cannot send, a page each.
        "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
        # A line for every task run that ended well says nothing and costs a row; the lane logs one a batch.
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }


def _trusting(api_url: str) -> dict[str, str]:
    """Prefect's client loads all trusted certificates for every connection, 22 ms each; plain HTTP needs none."""
    return {"PREFECT_API_SSL_CERT_FILE": str(NOBODY)} if api_url.startswith("http://") else {}
