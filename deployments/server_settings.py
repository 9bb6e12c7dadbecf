"""Settings of Prefect servers, one on one machine or several, and of their clients, each with its reason."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from deployments.server_pool import sqlite_url

HEARTBEAT: Final = timedelta(seconds=180)
"""How often a flow run says that it is alive: Prefect's default, for workers may be started without our settings."""

VANISHED_AFTER: Final = 3 * HEARTBEAT
"""How long it may be silent: longer than a server is away that is started again, or all runs would seem gone."""

NOBODY: Final = Path(__file__).with_name("nobody.pem")
"""A certificate that can vouch for nothing: its key was never kept."""


def server_environment(home: Path, api_url: str) -> dict[str, str]:
    """For one machine: a server that keeps SQLite, with few concurrent flow runs and many task runs each."""
    return _SERVER | {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": sqlite_url(home / "prefect" / "prefect.db"),
        # Unless it is told, the UI of a server on another port asks whoever has 4200.
        "PREFECT_SERVER_UI_API_URL": api_url,
        # In memory, the default, a server that is started again forgets who holds slots: nobody gets them back.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # Prefect's own, whose services see only what concerns them: with it a call costs the server a fifth less.
        "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "deployments.event_bus.memory",
    }


def replica_environment(database_url: str, redis_url: str) -> dict[str, str]:
    """For several servers at once: PostgreSQL keeps what they know, Redis what they tell each other.

    Each of the modules replaces one that works within a single process; left out, events that one server takes are
    not seen by the others, a trigger fires as often as there are servers, and slots are counted by each for itself.
    """
    return _SERVER | {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url,
        "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "deployments.event_bus.redis",
        "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_SERVER_DOCKET_URL": redis_url,
        "PREFECT_REDIS_MESSAGING_URL": redis_url,
        # Schema changes are one command's before any server starts; two that migrate at once are in each other's way.
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        # The same with the block types that Prefect brings; `prefect block register` makes them where they are wanted.
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    }


def _iso(time: timedelta) -> str:
    """As Prefect's settings take it."""
    return f"PT{time.total_seconds():.0f}S"


_SERVER: Final = {
    # Written one by one, a task run costs the server 52 to 60 ms of CPU; in batches, 13 to 18.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    # A batch of 14 items is 55 events, 0.28 MB of them with their indexes; without task runs of items, 0.09 MB. Of
    # 5,000 batches a day two days are 2.8 GB and Prefect's seven would be 10. Whoever wants to know later asks the
    # ledger, which keeps every move; and what events repeat of deliverables is gone sooner.
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P2D",
    # Whether a heartbeat is missing is looked at every so often, at the latest after as long as it is waited for. What
    # is waited for is forgotten this long after its time, a minute by default: some would never be missed.
    "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": _iso(2 * VANISHED_AFTER),
    # The server works without the internet and tells nobody about its runs.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
}


def client_environment(home: Path, api_url: str) -> dict[str, str]:
    """For processes that run flows against `api_url`."""
    return _trusting(api_url) | CLIENT | {"PREFECT_API_URL": api_url, "PREFECT_HOME": str(home / "prefect")}


CLIENT: Final = {
    "DO_NOT_TRACK": "1",
    # Each is 5.7 kB with its indexes: of four lanes that are always at work two days keep 22 MB. Oftener, a host that
    # is gone would be known sooner, but it is the ledger's leases that bring back its work.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": f"{HEARTBEAT.total_seconds():.0f}",
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
