"""`up` and `down`: all of it until Ctrl-C, and the end of what was left running."""

from threading import Event
from typing import TYPE_CHECKING

from deployments.services import Service, stop_services, ui_url
from gateway.cli.errors import OutOfReachError
from gateway.cli.interrupt import Work, run_until_stopped
from gateway.cli.outages import Outages
from gateway.cli.output import err, print_json, print_lines
from gateway.cli.start import prepared, start_services
from tasks.settings import Settings, load_settings

if TYPE_CHECKING:
    from deployments.warm import WarmWorker

PAUSE_S = 1.0


def run_up(*, as_json: bool) -> None:
    """Services, then a worker until SIGINT or SIGTERM; the services of this home are stopped at the end."""
    try:
        err.print("starting the Prefect server and the model ...")
        settings, prefect = start_services()
        _say_where(settings, prefect, as_json=as_json)
        serving = _Serving(settings)
        run_until_stopped(serving.until_stopped(), serving.signalled)
        if serving.has_broken_off:
            raise KeyboardInterrupt
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


class _Serving:
    """The worker of this process, through outages. The first signal lets what is in work end, the second does not."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked = Event()
        self._worker: WarmWorker | None = None
        self.has_broken_off = False

    def signalled(self, _: Work) -> None:
        """A signal has come; on the work's loop."""
        if not self._asked.is_set():
            err.print(f"stopping: what is in work has {self._settings.stop_s:g} s; once more to break it off")
        self._asked.set()
        if self._worker is not None:
            self._worker.end()

    async def until_stopped(self) -> None:
        """Deploy, then serve; at the end, all that the server is to know has reached it."""
        from deployments.sent import all_sent

        await prepared(self._installed())
        outages = Outages(PAUSE_S)
        try:
            while not self._asked.is_set():
                await outages.outlasted(self._serve, self._asked)
        finally:
            await all_sent()

    async def _installed(self) -> None:
        """All that is missing is made; what differs is changed in a server of ours alone."""
        from deployments.deploy import deploy
        from deployments.surface.spec import surface_of

        is_ours = self._settings.prefect_api_url is None
        await deploy(surface_of(self._settings), only_missing=not is_ours)

    async def _serve(self) -> None:
        from deployments.warm import WarmWorker

        self._worker = WarmWorker(work_pool_name=self._settings.pool, keeps_lake=True)
        try:
            await self._worker.start(printer=_silent)
        except RuntimeError as error:
            # So Prefect's workers end whose server has not answered for minutes.
            raise OutOfReachError(f"the Prefect server does not answer: {error}") from error
        finally:
            self.has_broken_off |= self._worker.ending.has_broken_off
            self._worker = None


def _silent(*_: object) -> None:
    """The command says what happens in its own words."""


def run_down(*, as_json: bool) -> None:
    """Stop the services that this home's notes name."""
    stopped = stop_services(load_settings())
    if as_json:
        print_json({"stopped": [service.name for service in stopped]})
    else:
        _report(stopped)


def _report(stopped: tuple[Service, ...]) -> None:
    err.print(f"stopped: {', '.join(service.name for service in stopped) or 'nothing was running'}")
