"""`status` and `costs`: lists and counts from the ledger, for people and for programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from textwrap import shorten
from typing import Any, Final

from contracts.batches import Batch, BatchState
from contracts.events import Rejection
from gateway.cli.ledger import ledger_of
from gateway.cli.output import SHORT_ID, local, out, print_json, print_table, usd
from gateway.cli.summary import print_summary, print_undelivered
from ledger.batches import list_batches
from ledger.breakers import Breaker, read_breakers
from ledger.costs import costs
from ledger.intake import read_rejections
from ledger.outbox import undelivered
from ledger.pauses import Pause, read_pauses
from ledger.status import collecting, status
from ledger.watchdog import Stuck, what_is_stuck
from tasks.runtime import utc_now
from tasks.settings import load_settings

LATEST: Final = 10
LATEST_REJECTIONS: Final = 5
CHARACTERS: Final = 90
NOT_DONE: Final = (BatchState.DEAD, BatchState.FAILED, BatchState.HELD, BatchState.PENDING)


def show_status(*, as_json: bool) -> None:
    """The whole installation in one view."""
    settings = load_settings()
    with ledger_of(settings) as ledger:
        now, breakers, pauses = status(ledger), read_breakers(ledger), read_pauses(ledger)
        failed = undelivered(ledger)
        stuck = what_is_stuck(ledger, utc_now(), settings.stuck_after)
        now |= {"undelivered": failed.count}
        if as_json:
            controls = {"breakers": [*map(asdict, breakers)], "paused": [*map(_paused, pauses)]}
            print_json(now | controls | {"stuck": [*map(asdict, stuck)]})
            return
        waiting = collecting(ledger)
        latest = list_batches(ledger, LATEST)
        stopped = [one for state in NOT_DONE for one in list_batches(ledger, LATEST_REJECTIONS, state)]
        rejected = read_rejections(ledger, LATEST_REJECTIONS)
    print_summary("Status", now)
    print_controls(breakers, pauses)
    _print_stuck(stuck)
    if waiting:
        out.print(f"\n{waiting:,} events wait for a batch to fill; `penstock run --flush` closes them now.")
    print_undelivered(failed)
    _print_batches(latest)
    _print_stopped(stopped)
    _print_rejections(rejected)


def print_controls(breakers: Iterable[Breaker], pauses: Iterable[Pause]) -> None:
    """What is paused, and which model is not called or has failed last."""
    rows = [(str(one.switch), local(one.at), one.reason) for one in pauses]
    if rows:
        print_table("Paused", ("stage", "since", "why"), rows)
        out.print("\n`penstock resume STAGE` lets it go on.")
    failed = [
        (
            one.model,
            str(one.state),
            one.failures,
            local(one.retry_at) if one.retry_at else "-",
            brief(one.reason),
        )
        for one in breakers
        if one.failures
    ]
    if failed:
        print_table("Models that failed", ("model", "breaker", "failures", "tries again", "why"), failed)


def _print_stuck(stuck: Sequence[Stuck]) -> None:
    rows = [(one.kind, one.about, one.tenant or "-", local(one.since), one.owner or "-") for one in stuck]
    if rows:
        print_table("Stuck", ("what", "which", "tenant", "since", "worker"), rows)
        out.print("\n`penstock doctor` says what to do.")


def _paused(one: Pause) -> dict[str, Any]:
    return {"stage": one.switch.stage, "tenant": one.switch.tenant, "reason": one.reason, "at": one.at}


def _print_batches(latest: Iterable[Batch]) -> None:
    rows = [
        (
            one.id[:SHORT_ID],
            str(one.state),
            str(one.level),
            one.size,
            one.tenant if one.user is None else f"{one.tenant} / {one.user}",
        )
        for one in latest
    ]
    if rows:
        columns = ("batch", "state", "level", "events", "tenant / user")
        print_table(f"The latest {len(rows)} batches", columns, rows)


def _print_stopped(stopped: Iterable[Batch]) -> None:
    rows = [(one.id[:SHORT_ID], str(one.state), one.tenant, brief(one.reason or "-")) for one in stopped]
    if rows:
        print_table("The latest that stopped on the way", ("batch", "state", "tenant", "why"), rows)
        out.print("\n`penstock status BATCH` says more about one.")


def _print_rejections(rejected: Iterable[Rejection]) -> None:
    rows = [(one.line, one.origin.rsplit("/", 1)[-1], brief(one.reason)) for one in rejected]
    if rows:
        print_table("The latest rejections", ("line", "of", "why"), rows)


def show_costs(*, as_json: bool) -> None:
    """Spend: all rows for programs; for people by tenant, feature, stage and model, and in all."""
    with ledger_of(load_settings()) as ledger:
        rows = costs(ledger)
    total = _summed(rows)
    if as_json:
        print_json({"rows": rows, "total": total})
        return
    if not rows:
        out.print("No model was called yet.")
        return
    for name in ("tenant", "feature", "stage", "model"):
        _print_spend(name, rows)
    out.print(
        f"\nIn all {total['calls']:,} calls, {total['input_tokens']:,} tokens in, "
        f"{total['output_tokens']:,} out, {usd(total['cost_usd'])}."
    )


def _print_spend(name: str, rows: list[dict[str, Any]]) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    sums = sorted(
        ((group, _summed(members)) for group, members in groups.items()),
        key=lambda one: (-one[1]["cost_usd"], -one[1]["calls"], one[0]),
    )
    shown = [
        (group, one["calls"], one["input_tokens"], one["output_tokens"], usd(one["cost_usd"]))
        for group, one in sums
    ]
    columns = (name, "calls", "tokens in", "tokens out", "cost")
    print_table(f"By {name}", columns, shown, is_first_whole=False)


def _summed(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rows = list(rows)
    counts = {name: sum(row[name] for row in rows) for name in ("calls", "input_tokens", "output_tokens")}
    return {**counts, "cost_usd": sum((row["cost_usd"] for row in rows), 0.0)}


def brief(text: str) -> str:
    """The beginning of a text that may be long, on one line."""
    return shorten(text, CHARACTERS, placeholder=" ...")
