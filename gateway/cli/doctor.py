"""`doctor`: is everything a run needs there and right, and if not, what to do?"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass

import httpx

from contracts.errors import OperatorError
from deployments.services import Service, answers, running_services, ui_url, use_prefect
from gateway.cli.output import out, print_json, print_table
from gateway.cli.session import ledger_of
from ledger.status import status
from tasks.model.client import ModelClient
from tasks.model.prices import load_prices
from tasks.settings import Settings, load_settings
from tasks.sources.mapping import load_mapping


@dataclass(frozen=True)
class Finding:
    """One check: whether it is well, what was seen, and what to do if not."""

    check: str
    ok: bool
    seen: str
    to_do: str = ""


def run_doctor(*, as_json: bool) -> None:
    """Run every check; exit code 1 when one fails."""
    findings = examine()
    if as_json:
        print_json(
            {"ok": all(found.ok for found in findings), "checks": [asdict(found) for found in findings]}
        )
    else:
        rows = [
            ("ok" if found.ok else "[red]wrong[/]", found.check, found.seen, found.to_do)
            for found in findings
        ]
        print_table("Doctor", ("", "check", "seen", "what to do"), rows)
        out.print("All is well." if all(found.ok for found in findings) else "Something needs attention.")
    if not all(found.ok for found in findings):
        raise SystemExit(1)


def examine() -> list[Finding]:
    """All findings; a check that cannot go on ends the list only where nothing after it makes sense."""
    try:
        settings = load_settings()
    except OperatorError as error:
        return [Finding("settings", ok=False, seen=str(error), to_do="correct this setting")]
    return [
        Finding("settings", ok=True, seen=f"home {settings.home}"),
        _checked("mapping", lambda: _mapping(settings), "correct the mapping file"),
        _checked(
            "prices", lambda: _prices(settings), "add the model's prices to a file named by PENSTOCK_PRICES"
        ),
        _checked(
            "database", lambda: _database(settings), "check PENSTOCK_DATABASE_URL and that the server runs"
        ),
        *_prefect(settings),
        _checked(
            "model", lambda: _model(settings), "check ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL and the network"
        ),
    ]


def _checked(check: str, look: Callable[[], str], to_do: str) -> Finding:
    try:
        return Finding(check, ok=True, seen=look())
    except OperatorError as error:
        return Finding(check, ok=False, seen=str(error), to_do=to_do)


def _mapping(settings: Settings) -> str:
    load_mapping(settings.mapping)
    return str(settings.mapping or "the shipped mapping")


def _prices(settings: Settings) -> str:
    from tasks.runtime import utc_now

    table, day = load_prices(settings.prices), utc_now().date()
    models = dict.fromkeys(
        (settings.generation_model(), settings.judging_model(), settings.diagnosing_model())
    )
    return ", ".join(
        f"{model} ${table.at(model, day).input}/{table.at(model, day).output} per M" for model in models
    )


def _database(settings: Settings) -> str:
    with ledger_of(settings) as ledger:
        now = status(ledger)
        return f"{ledger.dialect.name}, {now['events']['accepted']:,} events, {now['batches']['total']:,} batches"


def _prefect(settings: Settings) -> list[Finding]:
    """The API and, where it answers, the limits."""
    mine = {service.name: service for service in running_services(settings)}
    service = (
        Service("prefect", settings.prefect_api_url, None)
        if settings.prefect_api_url
        else mine.get("prefect")
    )
    if service is None:
        return [Finding("prefect", ok=True, seen="not running; `penstock run` and `penstock up` start it")]
    if not answers("prefect", service.url):
        to_do = "start that server, or unset PREFECT_API_URL to use the embedded one"
        return [Finding("prefect", ok=False, seen=f"no answer from {service.url}", to_do=to_do)]
    use_prefect(settings, service)
    return [Finding("prefect", ok=True, seen=f"UI at {ui_url(service)}"), _limits(service)]


def _limits(service: Service) -> Finding:
    from flows.lane import MODEL_LIMIT

    answer = httpx.get(f"{service.url}/v2/concurrency_limits/{MODEL_LIMIT}", timeout=5)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return Finding("limits", ok=True, seen=f"{MODEL_LIMIT} does not exist yet; the next run creates it")
    limit = answer.json()
    return Finding(
        "limits", ok=True, seen=f"{MODEL_LIMIT}: {limit['limit']} in flight, {limit['active_slots']} taken"
    )


def _model(settings: Settings) -> str:
    if settings.is_offline and settings.offline_url is None:
        services = {service.name: service for service in running_services(settings)}
        found = services.get("offline-model")
        return f"offline model at {found.url}" if found else "offline model, started when a run needs it"
    key = settings.anthropic_api_key
    client = ModelClient(
        api_key=key.get_secret_value() if key else "offline",
        base_url=settings.offline_url if settings.is_offline else settings.anthropic_base_url,
        timeout_s=settings.request_timeout_s,
        max_in_flight=1,
        prices=load_prices(settings.prices),
    )

    async def ask() -> list[str]:
        async with client:
            return list((await client.reachable())["models"])

    known = asyncio.run(ask())
    return f"{client.base_url or 'the Claude API'} answers, {len(known)} models"
