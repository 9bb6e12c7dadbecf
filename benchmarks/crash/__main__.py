"""`python -m benchmarks.crash`: play seeds, audit each, write the table."""

import argparse
import logging
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from rich.console import Console

from benchmarks.crash.audit import Findings, audited
from benchmarks.crash.plan import Plan, plan_of
from benchmarks.crash.table import reliability
from benchmarks.crash.world import NotFinishedError, play
from benchmarks.machine import machine
from benchmarks.postgres import postgres
from tasks.settings import Settings

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"


def main() -> None:
    """Play the seeds asked for; the exit code is 1 where a guarantee did not hold."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=__doc__)
    asked.add_argument("--seeds", type=int, default=200, help="how many seeds (default 200)")
    asked.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    asked.add_argument("--at-once", type=int, default=3, help="how many are played at once (default 3)")
    asked.add_argument("--write", action="store_true", help=f"write {REPORT.name}")
    given = asked.parse_args()
    # The offline model's server complains of each answer that it is told to cut.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno > logging.ERROR)
    console = Console(width=100)
    started, all_found, lost = time.monotonic(), [], []
    for found in rehearsed(range(given.first, given.first + given.seeds), given.at_once):
        if isinstance(found, NotFinishedError):
            lost.append(str(found))
            console.print(str(found), style="red", markup=False)
        else:
            all_found.append(found)
            console.print(line(found), markup=False)
        # After every seed: an hour's run that is broken off has still told something.
        if given.write:
            REPORT.write_text(reliability(all_found, lost, time.monotonic() - started, machine()))
    if lost or any(found.violations for found in all_found):
        raise SystemExit(1)


def rehearsed(seeds: Iterable[int], at_once: int) -> Iterator[Findings | NotFinishedError]:
    """What each seed came to, in their order; `at_once` of them play at a time."""
    with (
        tempfile.TemporaryDirectory(prefix="penstock-crash-") as folder,
        installation(Path(folder)) as (prefect, urls),
        # A seed waits most of its time, for the leases of the dead.
        ThreadPoolExecutor(at_once) as players,
    ):
        yield from players.map(lambda seed: _played(plan_of(seed), Path(folder), prefect, urls), seeds)


def _played(
    plan: Plan, folder: Path, prefect: str, urls: Callable[[Plan], str]
) -> Findings | NotFinishedError:
    home = folder / f"seed-{plan.seed}"
    try:
        found = audited(play(plan, home, urls(plan), prefect))
    except NotFinishedError as error:
        _keep(home)
        return error
    if found.violations:
        _keep(home)
    shutil.rmtree(home)
    return found


def line(found: Findings) -> str:
    """A seed in a line."""
    wrong = f"  WRONG: {'; '.join(found.violations)}" if found.violations else ""
    kills = ", ".join(f"{count} {point}" for point, count in Counter(found.kills).items())
    calls = f"{found.calls.calls:>3} calls, {sum(found.calls.again.values())} again"
    return f"seed {found.seed:>3} {found.database:<10} {calls}; {kills}{wrong}"


@contextmanager
def installation(home: Path) -> Iterator[tuple[str, Callable[[Plan], str]]]:
    """A Prefect server for all seeds, and databases for each."""
    from deployments.services import prefect_server, stop_services, use_prefect
    from tasks.settings import Settings

    settings = Settings(home=home / "prefect-home")
    # What is set for the workers ends with the installation.
    with patch.dict(os.environ):
        service = prefect_server(settings)
        use_prefect(settings, service)
        _allow_slots(settings, service.url)
        try:
            with databases(home) as database:
                yield service.url, database
        finally:
            stop_services(settings)


def _allow_slots(settings: Settings, url: str) -> None:
    """Room for the slots of workers that were killed, which Prefect frees a minute later at the soonest."""
    import asyncio

    from prefect.settings import PREFECT_API_URL, temporary_settings

    from deployments.installed import ensure_installed

    # By name: this process may have spoken with another server before.
    with temporary_settings({PREFECT_API_URL: url}):
        asyncio.run(ensure_installed(settings.model_copy(update={"model_requests_in_flight": 10_000})))


@contextmanager
def databases(home: Path) -> Iterator[Callable[[Plan], str]]:
    """Makes a database for a plan: an SQLite file, or one of a PostgreSQL server of our own."""
    with postgres() as make:

        def database(plan: Plan) -> str:
            if plan.database == "sqlite":
                return f"sqlite:///{home}/seed-{plan.seed}/ledger.db"
            return make(f"seed_{plan.seed}")

        yield database


def _keep(home: Path) -> None:
    """What went wrong is kept to be looked at."""
    kept = Path(tempfile.gettempdir()) / "penstock-crash-kept" / home.name
    shutil.copytree(home, kept, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
