"""`up` and `down`: all of it until Ctrl-C, and the end of what was left running."""

import asyncio
import signal

from deployments.services import Service, stop_services, ui_url
from gateway.cli.output import err, out, print_json
from gateway.cli.session import start_services
from tasks.settings import Settings, load_settings

PAUSE_S = 1.0


def run_up() -> None:
    """Services, then rounds of work until SIGINT or SIGTERM; what this command started is stopped at the end."""
    settings, prefect = start_services()
    out.print(f"Prefect UI: {ui_url(prefect)}")
    out.print(f"State: {settings.home}")
    model = "the offline model (no key is set)" if settings.is_offline else settings.model
    out.print(f"Model: {model}\nTake events in with `penstock ingest PATH`. Ctrl-C stops.")
    try:
        asyncio.run(_work_until_stopped(settings))
    finally:
        _report(stop_services(settings))


async def _work_until_stopped(settings: Settings) -> None:
    """Look for work every second; a signal lets the round in hand finish."""
    from deployments.limits import ensure_limits
    from flows.rounds import Watch, has_work, work

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await ensure_limits(settings)
    watch = Watch()
    while not stop.is_set():
        if await has_work(watch):
            await work(until_idle=True)
        try:
            await asyncio.wait_for(stop.wait(), PAUSE_S)
        except TimeoutError:
            continue


def run_down(*, as_json: bool) -> None:
    """Stop the services that this home's notes name."""
    stopped = stop_services(load_settings())
    if as_json:
        print_json({"stopped": [service.name for service in stopped]})
    else:
        _report(stopped)


def _report(stopped: tuple[Service, ...]) -> None:
    err.print(f"stopped: {', '.join(service.name for service in stopped) or 'nothing was running'}")
