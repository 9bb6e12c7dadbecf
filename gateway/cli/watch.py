"""`status --watch`: what happens now, again and again."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from rich.console import Group
from rich.live import Live
from rich.text import Text

from gateway.cli.ledger import ledger_of
from gateway.cli.output import out, table_of, usd
from ledger.engine import Ledger
from ledger.measures import Measures, Queue, StageMeasures, measures
from tasks.runtime import utc_now
from tasks.settings import load_settings

WINDOW: Final = timedelta(minutes=5)
EVERY_S: Final = 2.0


def watch_status(*, as_json: bool, times: int | None = None) -> None:
    """Show queues and stages until Ctrl-C, or so many times; as JSON a document a line."""
    with ledger_of(load_settings()) as ledger:
        try:
            if as_json:
                _print_lines(ledger, times)
            else:
                _show(ledger, times)
        except KeyboardInterrupt:
            return


def _print_lines(ledger: Ledger, times: int | None) -> None:
    for found in _looks(ledger, times):
        sys.stdout.write(json.dumps(_plain(found)) + "\n")
        sys.stdout.flush()


def _show(ledger: Ledger, times: int | None) -> None:
    with Live(console=out, auto_refresh=False, transient=False) as live:
        for found in _looks(ledger, times):
            live.update(_drawn(found), refresh=True)


def _looks(ledger: Ledger, times: int | None) -> Iterator[Measures]:
    while times is None or times > 0:
        yield measures(ledger, utc_now(), WINDOW)
        times = None if times is None else times - 1
        if times != 0:
            time.sleep(EVERY_S)


def _plain(found: Measures) -> dict[str, Any]:
    return {
        "at": found.at.isoformat(),
        "window_s": found.window.total_seconds(),
        "queues": [asdict(queue) for queue in found.queues],
        "stages": [asdict(stage) for stage in found.stages],
    }


def _drawn(found: Measures) -> Group:
    minutes = found.window // timedelta(minutes=1)
    heading = f"At {found.at.astimezone():%H:%M:%S}; stages over the last {minutes} minutes. Ctrl-C ends."
    queues = table_of(("level", "ready", "running", "waiting", "longest wait"), map(_queue_row, found.queues))
    columns = ("stage", "/min", "p50  p95  p99", "pass", "refuse", "fail", "dead", "tokens", "USD")
    stages = table_of(columns, map(_stage_row, found.stages))
    note = "/min: calls; p50 to p99: seconds a call; tokens, USD: for each item that passed."
    return Group(Text(heading), Text(), queues, Text(), stages, Text(note, style="dim"))


def _queue_row(queue: Queue) -> tuple[object, ...]:
    return (queue.level.value, queue.ready, queue.running, queue.waiting, f"{queue.longest_s:,.0f} s")


def _stage_row(stage: StageMeasures) -> tuple[object, ...]:
    return (
        stage.stage,
        f"{stage.calls_a_minute:.0f}",
        " ".join("-" if one is None else f"{one:.2f}" for one in (stage.p50_s, stage.p95_s, stage.p99_s)),
        stage.passed,
        stage.refused,
        stage.failed,
        stage.dead,
        "-" if stage.tokens is None else f"{stage.tokens:,.0f}",
        "-" if stage.usd is None else usd(stage.usd),
    )
