"""`up` and `down`: all of it until Ctrl-C, and the end of what was left running."""

import asyncio
from contextlib import suppress

from deployments.services import Service, stop_services, ui_url
from gateway.cli.interrupt import SIGNALS
from gateway.cli.output import err, print_json, print_lines
from gateway.cli.start import prepared, start_services
from tasks.runtime import runtime
from tasks.settings import Settings, load_settings

PAUSE_S = 1.0


def run_up(*, as_json: bool) -> None:
    """Services, then rounds of work until SIGINT or SIGTERM; the services of this home are stopped at the end."""
    try:
        err.print("starting the Prefect server and the model ...")
        settings, prefect = start_services()
        _say_where(settings, prefect, as_json=as_json)
        asyncio.run(_work_until_stopped(settings))
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


async def _work_until_stopped(settings: Settings) -> None:
    """Look for work every second. The first signal lets the work in hand finish, the second gives it back."""
    from deployments.limits import ensure_limits

    await prepared(ensure_limits(settings))
    stop = asyncio.Event()
    working = asyncio.create_task(_rounds(stop))

    def stop_or_break_off() -> None:
        if stop.is_set():
            working.cancel()
        elif not working.done():
            err.print("stopping when the work in hand is done; once more to break it off")
        stop.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop_or_break_off)
    with suppress(asyncio.CancelledError):
        await working


async def _rounds(stop: asyncio.Event) -> None:
    from flows.rounds import Watch, has_work, work

    watch = Watch()
    async with runtime():
        while not stop.is_set():
            if await has_work(watch):
                await work(until_idle=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE_S)


def run_down(*, as_json: bool) -> None:
    """Stop the services that this home's notes name."""
    stopped = stop_services(load_settings())
    if as_json:
        print_json({"stopped": [service.name for service in stopped]})
    else:
        _report(stopped)


def _report(stopped: tuple[Service, ...]) -> None:
    err.print(f"stopped: {', '.join(service.name for service in stopped) or 'nothing was running'}")
