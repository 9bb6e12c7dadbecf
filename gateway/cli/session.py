"""What commands share: settings, the ledger for a moment, and the services a run needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deployments.services import Service, offline_model, prefect_server, use_prefect
from ledger.engine import Ledger, close_ledger, open_ledger
from tasks.settings import Settings, load_settings


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    """The ledger, open for the time of the block."""
    ledger = open_ledger(settings.ledger_url)
    try:
        yield ledger
    finally:
        close_ledger(ledger)


def start_services() -> tuple[Settings, Service]:
    """Prefect and, where no provider is configured, the offline model: found or started, and this process set up.

    Returns the settings in force from then on and the Prefect service. Must come before Prefect is imported.
    """
    settings = load_settings()
    model = offline_model(settings) if settings.offline_url is None else None
    if model is not None:
        os.environ["PENSTOCK_OFFLINE_URL"] = model.url
    service = prefect_server(settings)
    use_prefect(settings, service)
    return load_settings(), service
