"""`erase`: a person removed from everything, and what that was."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from deployments.prefect_data import embedded_database
from deployments.prefect_data import remove_artifacts as remove_embedded
from gateway.cli.errors import ExitCode, OutOfReachError
from gateway.cli.given import given
from gateway.cli.ledger import ledger_of
from gateway.cli.output import err, out, print_json, print_pairs
from gateway.cli.replay import confirm
from gateway.cli.start import check_prefect
from ledger.engine import Ledger
from ledger.erasure import Erasure, erase_person
from tasks.redaction.start import names_of
from tasks.runtime import utc_now
from tasks.settings import Settings, load_settings
from tasks.sources.aws.clients import AwayError

OUTSIDE = (
    "Not in Penstock's hands: what has been delivered elsewhere, exported or backed up, what the model's provider "
    "keeps, and what others wrote of this person in messages of their own."
)


def run_erase(tenant: str, user: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Show what would go, ask, remove it; exit code 1 while batches with something of the person are running."""
    tenant, user = given("--tenant", tenant), given("--user", user)
    settings = load_settings()
    check_prefect(settings)
    with ledger_of(settings) as ledger:
        names = names_of(user, settings)
        found = erase_person(ledger, tenant, names, utc_now(), dry_run=True)
        if dry_run:
            _print(
                f"What there is of '{user}' of '{tenant}'", {"would_remove": _counts(found)}, as_json=as_json
            )
            return
        if not (yes or found.is_empty):
            _ask(tenant, user, found)
        removed = asyncio.run(_removed(ledger, settings, tenant, names))
    _print("Removed", removed, as_json=as_json)
    if not as_json:
        out.print(f"\n{OUTSIDE}")
    if removed["batches_in_hand"]:
        err.print("Some batches are being worked on; run this again when they have ended.")
        raise SystemExit(int(ExitCode.ATTENTION))


def _ask(tenant: str, user: str, found: Erasure) -> None:
    if sys.stdin.isatty():
        _print(f"What there is of '{user}' of '{tenant}'", _counts(found), as_json=False)
    confirm("Remove all of it for good?", yes=False)


async def _removed(ledger: Ledger, settings: Settings, tenant: str, names: Sequence[str]) -> dict[str, int]:
    """Remove everything; what that was, by where."""
    from flows.erasure import erase_everywhere

    remover = _artifact_remover(settings)
    try:
        gone = await erase_everywhere(
            ledger, settings, tenant, names, remove_artifacts=remover, clock=utc_now
        )
    except AwayError as error:
        raise OutOfReachError(
            f"{error}; all else of this person is removed, and these files are when this is run again, or by "
            "`penstock attachments take`"
        ) from error
    elsewhere = {
        "files": gone.files,
        "objects": gone.objects,
        "artifacts": gone.artifacts,
        "lake_versions": gone.lake_versions,
    }
    return _counts(gone.ledger) | elsewhere


def _artifact_remover(settings: Settings) -> Callable[[Sequence[str]], Awaitable[int]]:
    """By the API of the Prefect server that is set, or in the database of the one that Penstock starts."""
    if settings.prefect_api_url is not None:
        from flows.artifacts import remove_artifacts

        return remove_artifacts

    async def remove_from_file(keys: Sequence[str]) -> int:
        return await asyncio.to_thread(remove_embedded, embedded_database(settings.home), keys, utc_now())

    return remove_from_file


def _counts(erasure: Erasure) -> dict[str, int]:
    counts = {name: value for name, value in asdict(erasure).items() if isinstance(value, int)}
    return counts | {"batches": len(erasure.batches), "batches_in_hand": len(erasure.in_hand)}


def _print(title: str, counts: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
        return
    rows = counts.get("would_remove", counts)
    print_pairs(title, {name.replace("_", " "): count for name, count in rows.items()})
