"""`deploy`: what a Prefect server shows of Penstock is made as it is to be, once the difference has been shown."""

import asyncio
import json
from typing import Any

from deployments.services import ui_url
from gateway.cli.output import err, out, print_json, print_table
from gateway.cli.progress import progress_bar
from gateway.cli.replay import confirm
from gateway.cli.start import found_prefect, prepared
from tasks.settings import Settings, load_settings

LONGEST = 60
"""Characters of a value that a table shows."""


def run_deploy(*, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Show what differs, ask, and make it as it is to be."""
    settings = load_settings()
    service = found_prefect(settings)
    differing = asyncio.run(_deployed(settings, dry_run=dry_run, yes=yes, as_json=as_json))
    if as_json:
        print_json({"server": ui_url(service), "dry_run": dry_run, "differences": differing})
    elif not differing:
        out.print(f"Nothing differs: {ui_url(service)} shows Penstock as it is to be.")
    elif not dry_run:
        out.print(f"\n{ui_url(service)} shows Penstock as it is to be now.")
        err.print(f"`prefect worker start --pool {settings.pool}` starts a worker for it.", markup=False)


async def _deployed(settings: Settings, *, dry_run: bool, yes: bool, as_json: bool) -> list[dict[str, Any]]:
    from deployments.deploy import Plan, planned
    from deployments.surface.spec import surface_of

    async def carried_out(plan: Plan) -> None:
        with progress_bar() as progress:
            bar = progress.add_task("deploying", total=len(plan.differences))
            async for difference in plan.carry_out():
                progress.update(bar, advance=1, description=difference.name)

    async def all_of_it() -> list[dict[str, Any]]:
        async with planned(surface_of(settings)) as plan:
            found = [_told(one) for one in plan.differences]
            if found and not as_json:
                _show(found)
            if found and not dry_run:
                confirm("Change the server so?", yes=yes or as_json)
                await carried_out(plan)
            return found

    return await prepared(all_of_it())


def _told(one: Any) -> dict[str, Any]:  # noqa: ANN401 - its type is Prefect's side of the house
    values = {name: {"is": was, "becomes": becomes} for name, was, becomes in one.values}
    return {"kind": one.kind, "name": one.name, "what": one.what, "values": values}


def _show(found: list[dict[str, Any]]) -> None:
    rows = []
    for one in found:
        changed = "; ".join(
            f"{name}: {_short(value['is'])} -> {_short(value['becomes'])}"
            for name, value in one["values"].items()
        )
        rows.append((one["what"], one["kind"], one["name"], changed))
    print_table("What differs", ("what", "kind", "name", "values"), rows)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
