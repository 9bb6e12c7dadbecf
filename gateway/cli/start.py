"""The services that a run needs, found or started; or why it cannot begin."""

import os
from collections.abc import Awaitable
from typing import TypeVar

import httpx

from deployments.services import Service, offline_model, prefect_server, use_prefect
from gateway.cli.errors import OutOfReachError
from gateway.cli.ledger import ledger_of
from gateway.cli.model import check_model
from tasks.settings import Settings, load_settings

T = TypeVar("T")


def start_services() -> tuple[Settings, Service]:
    """Prefect and, where no provider is configured, the offline model: found or started, and this process set up.

    What somebody else runs is asked first: nothing is started for a run that could not begin. Returns the
    settings in force from then on and the Prefect service. Must come before Prefect is imported.
    """
    settings = load_settings()
    with ledger_of(settings):
        pass
    check_prefect(settings)
    model = offline_model(settings) if settings.offline_url is None else None
    if model is not None:
        os.environ["PENSTOCK_OFFLINE_URL"] = model.url
        settings = load_settings()
    check_model(settings)
    service = prefect_server(settings)
    use_prefect(settings, service)
    return settings, service


def found_prefect(settings: Settings) -> Service:
    """The Prefect server, set or started, with this process set up to speak with it. Nothing else is started."""
    check_prefect(settings)
    service = prefect_server(settings)
    use_prefect(settings, service)
    return service


async def prepared(first_question: Awaitable[T]) -> T:
    """Ask Prefect something before work begins; OutOfReachError when it refuses, a wrong login for one."""
    try:
        return await first_question
    except httpx.HTTPError as error:
        raise OutOfReachError(
            f"the Prefect server refuses: {error}; check PREFECT_API_URL and the key that it wants"
        ) from error


def check_prefect(settings: Settings) -> None:
    """Any answer of the server that is set will do: one that wants a login may refuse to say that it is well."""
    url = settings.prefect_api_url
    if url is None:
        return
    try:
        httpx.get(f"{url}/health", timeout=5)
    except httpx.TransportError as error:
        raise OutOfReachError(
            f"no Prefect server answers at {url} ({error}); start it, correct PREFECT_API_URL, or unset it "
            "to use the one that Penstock starts"
        ) from error
