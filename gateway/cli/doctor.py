"""`doctor`: is everything a run needs there and right, and if not, what to do?"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import httpx

from contracts.errors import OperatorError
from deployments.services import Service, answers, running_services, ui_url, use_prefect
from gateway.cli.ledger import ledger_of
from gateway.cli.output import local, out, print_json, print_pairs, print_table
from ledger.errors import NewerLedgerError
from ledger.status import status
from ledger.watchdog import what_is_stuck
from tasks.model.prices import load_prices
from tasks.redaction.pseudonyms import KEY_FILE
from tasks.redaction.start import redactor_of
from tasks.routing.rules import load_routes
from tasks.runtime import utc_now
from tasks.settings import Settings, load_settings
from tasks.sources.mapping import load_mapping

SHOWN: Final = 3


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
        _print(findings)
    if not all(found.ok for found in findings):
        raise SystemExit(1)


def _print(findings: list[Finding]) -> None:
    rows = [(found.check, "ok" if found.ok else "wrong", found.seen) for found in findings]
    print_table("Doctor", ("check", "", "what was seen"), rows)
    wrong = [found for found in findings if not found.ok]
    if wrong:
        print_pairs("What to do", [(found.check, found.to_do) for found in wrong])
    else:
        out.print("\nAll is well.")


def examine() -> list[Finding]:
    """All findings; a check that cannot go on ends the list only where nothing after it makes sense."""
    try:
        settings = load_settings()
    except OperatorError as error:
        return [Finding("settings", ok=False, seen=str(error), to_do="correct this setting")]
    return [
        Finding("settings", ok=True, seen=f"home {settings.home}"),
        _checked("mapping", lambda: _mapping(settings), "correct the mapping or the routes"),
        _checked("redaction", lambda: _redaction(settings), "correct the PENSTOCK_REDACT settings"),
        _checked(
            "prices", lambda: _prices(settings), "add the model's prices to a file named by PENSTOCK_PRICES"
        ),
        _checked(
            "database", lambda: _database(settings), "check PENSTOCK_DATABASE_URL and that the server runs"
        ),
        *_progress(settings),
        *_prefect(settings),
        _checked(
            "model", lambda: _model(settings), "check ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL and the network"
        ),
    ]


def _checked(check: str, look: Callable[[], str], to_do: str) -> Finding:
    try:
        return Finding(check, ok=True, seen=look())
    except NewerLedgerError as error:
        return Finding(
            check, ok=False, seen=str(error), to_do="run the newer version, or name another database"
        )
    except OperatorError as error:
        return Finding(check, ok=False, seen=str(error), to_do=to_do)


def _mapping(settings: Settings) -> str:
    load_mapping(settings.mapping)
    routes = len(load_routes(settings.routes).routes)
    return f"{settings.mapping or 'the shipped mapping'}, {routes or 'no'} routes"


def _redaction(settings: Settings) -> str:
    if redactor_of(settings) is None:
        return "off: events are kept and sent to the model as they come"
    key = "PENSTOCK_REDACT_KEY" if settings.redact_key else str(settings.home / KEY_FILE)
    model = settings.redact_model or "no model: names by lists, no places"
    return f"on, {model}; users are pseudonyms by the key in {key}, ids and tenants stay as given"


def _prices(settings: Settings) -> str:
    table, day = load_prices(settings.prices), datetime.now(UTC).date()
    models = dict.fromkeys(
        (settings.generation_model(), settings.judging_model(), settings.diagnosing_model())
    )
    prices = {model: table.at(model, day) for model in models}
    return "; ".join(f"{model} ${price.input} in, ${price.output} out" for model, price in prices.items()) + (
        " (a million tokens)"
    )


def _database(settings: Settings) -> str:
    with ledger_of(settings) as ledger:
        now = status(ledger)
        return f"{ledger.dialect.name}, {now['events']['accepted']:,} events, {now['batches']['total']:,} batches"


def _progress(settings: Settings) -> list[Finding]:
    """What gets nowhere, where the ledger can be asked."""
    try:
        with ledger_of(settings) as ledger:
            found = what_is_stuck(ledger, utc_now(), settings.stuck_after)
    except OperatorError:
        return []
    if not found:
        return [Finding("progress", ok=True, seen="nothing is stuck")]
    seen = "; ".join(f"{one.kind} {one.about} since {local(one.since)}" for one in found[:SHOWN]) + (
        f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    )
    to_do = (
        "a lane: see that `penstock up` or a worker runs, and that its limit is not 0; a batch: cancel its "
        "lane in the Prefect UI, or end its worker, and another goes on with it"
    )
    return [Finding("progress", ok=False, seen=seen, to_do=to_do)]


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
    """Processes share what the limit allows; at 0, switched off or deleted it stops all calls."""
    from tasks.model.caps import REQUESTS

    try:
        answer = httpx.get(f"{service.url}/v2/concurrency_limits/{REQUESTS}", timeout=5)
        if answer.status_code == httpx.codes.NOT_FOUND:
            seen = "none: no model is called until `penstock deploy` or the next start makes it"
            return Finding("limits", ok=True, seen=seen)
        limit = answer.raise_for_status().json()
    except httpx.HTTPError as error:
        return Finding("limits", ok=False, seen=str(error), to_do="check what answers at PREFECT_API_URL")
    is_open = limit["active"] and limit["limit"] > 0
    off = "" if limit["active"] else ", switched off"
    to_do = f"raise {REQUESTS} in the Prefect UI under Concurrency, or switch it on: until then no model is called"
    return Finding(
        "limits",
        ok=is_open,
        seen=f"{limit['limit']} model requests in flight, {limit['active_slots']} taken{off}",
        to_do="" if is_open else to_do,
    )


def _model(settings: Settings) -> str:
    if settings.is_offline and settings.offline_url is None:
        services = {service.name: service for service in running_services(settings)}
        found = services.get("offline-model")
        return f"offline model at {found.url}" if found else "offline model, started when a run needs it"
    from gateway.cli.model import list_models

    known = list_models(settings)
    address = settings.offline_url if settings.is_offline else settings.anthropic_base_url
    return f"{address or 'the Claude API'} answers, {len(known)} models"
