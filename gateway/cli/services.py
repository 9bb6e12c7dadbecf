"""`up` and `down`: all of it until Ctrl-C, and the end of what was left running."""

import asyncio
from datetime import timedelta
from threading import Event

from deployments.services import Service, stop_services, ui_url
from gateway.cli.interrupt import Work, run_until_stopped
from gateway.cli.outages import Outages
from gateway.cli.output import err, print_json, print_lines
from gateway.cli.start import prepared, start_services
from tasks.runtime import runtime, utc_now
from tasks.settings import Settings, load_settings

PAUSE_S = 1.0


def run_up(*, as_json: bool) -> None:
    """Services, then rounds of work until SIGINT or SIGTERM; the services of this home are stopped at the end."""
    try:
        err.print("starting the Prefect server and the model ...")
        settings, prefect = start_services()
        _say_where(settings, prefect, as_json=as_json)
        stopping = _Stopping(settings.stop_s)
        run_until_stopped(_work_until(stopping.asked, settings), stopping.signalled)
    finally:
        _report(stop_services(load_settings()))


def _say_where(settings: Settings, prefect: Service, *, as_json: bool) -> None:
    offline = f"the offline model at {settings.offline_url} (no key is set)"
    links = {
        "prefect_ui": ui_url(prefect),
        "model": offline if settings.is_offline else settings.model,
        "deliverables": str(settings.deliverables),
    }
    if as_json:
        print_json(links)
        return
    names = {"prefect_ui": "Prefect UI", "model": "Model", "deliverables": "Deliverables"}
    print_lines("Penstock is up", [(names[name], value) for name, value in links.items()])
    err.print("\nTake events in with `penstock ingest PATH` from another terminal. Ctrl-C stops.")


class _Stopping:
    """The first signal lets the batches in work end, for so many seconds; the second breaks them off."""

    def __init__(self, patience_s: float) -> None:
        self.asked = Event()
        self.patience_s = patience_s

    def signalled(self, work: Work) -> None:
        """A signal has come; on the work's loop."""
        if self.asked.is_set():
            work.cancel()
            return
        err.print(f"stopping: what is in work has {self.patience_s:g} s; once more to break it off")
        self.asked.set()
        asyncio.get_running_loop().call_later(self.patience_s, work.cancel)


async def _work_until(stop: Event, settings: Settings) -> None:
    """Look for work every second, through outages; at the end, all that the server is to know has reached it."""
    from deployments.installed import ensure_installed
    from deployments.sent import all_sent
    from flows.forming import Watch
    from flows.rounds import Lake, has_work, rounds
    from flows.watch import watched

    watch, lake = Watch(), Lake(timedelta(seconds=settings.lake_every_s), refreshed_at=utc_now())

    async def round_of_work() -> None:
        if await has_work(watch):
            lake.is_behind = True
            await rounds(until_idle=True)
        if lake.is_due(utc_now()):
            await lake.refresh(utc_now())

    await prepared(ensure_installed(settings))
    outages = Outages(PAUSE_S)
    try:
        async with runtime(stop=stop) as run, watched(run):
            while not stop.is_set():
                await outages.outlasted(round_of_work, stop)
            if lake.is_behind:
                await lake.refresh(utc_now())
    finally:
        await all_sent()


def run_down(*, as_json: bool) -> None:
    """Stop the services that this home's notes name."""
    stopped = stop_services(load_settings())
    if as_json:
        print_json({"stopped": [service.name for service in stopped]})
    else:
        _report(stopped)


def _report(stopped: tuple[Service, ...]) -> None:
    err.print(f"stopped: {', '.join(service.name for service in stopped) or 'nothing was running'}")
