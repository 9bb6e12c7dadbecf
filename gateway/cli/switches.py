"""`pause` and `resume`: the kill switches from the command line."""

import getpass

from contracts.errors import OperatorError
from flows.pipelines import PAUSABLE
from gateway.cli.given import given
from gateway.cli.ledger import ledger_of
from gateway.cli.output import err, print_json
from ledger.engine import Ledger
from ledger.pauses import ALL, Switch, pause, read_pauses, resume
from ledger.tenants import tenant_names
from tasks.runtime import utc_now
from tasks.settings import load_settings


def run_pause(stage: str, tenant: str | None, reason: str | None, *, as_json: bool) -> None:
    """Throw a switch; thrown before, it stays as it is."""
    switch = _switch(stage, tenant)
    why = reason or f"paused by {getpass.getuser()}"
    with ledger_of(load_settings()) as ledger:
        is_new = pause(ledger, switch, why, utc_now())
        is_known = switch.tenant is None or switch.tenant in tenant_names(ledger)
    if as_json:
        print_json({"paused": str(switch), "new": is_new, "known": is_known})
    elif is_new:
        err.print(
            f"{_named(switch)} is paused: no call begins from now on; those under way finish and are kept."
        )
        err.print(f"It goes on with `penstock resume {_arguments(switch)}`.")
    else:
        err.print(f"{_named(switch)} was paused before; nothing has changed.")
    if not is_known and not as_json:
        err.print(f"No event of {switch.tenant!r} has been batched so far: is it written as in the events?")


def run_resume(stage: str, tenant: str | None, *, as_json: bool) -> None:
    """Let it go on; what else stands in its way is said."""
    switch = _switch(stage, tenant)
    with ledger_of(load_settings()) as ledger:
        was_paused = resume(ledger, switch, utc_now())
        left = _still_in_the_way(ledger, switch)
    if as_json:
        print_json({"resumed": str(switch), "was_paused": was_paused, "still_paused": left})
        return
    err.print(f"{_named(switch)} goes on." if was_paused else f"{_named(switch)} was not paused.")
    if left:
        err.print(f"Still paused: {', '.join(left)}.")


class UnknownSwitchError(OperatorError):
    """There is nothing of that name to pause; the message says what there is."""


def _switch(stage: str, tenant: str | None) -> Switch:
    if stage not in PAUSABLE:
        raise UnknownSwitchError(f"no stage is called {stage!r}; there are {', '.join(sorted(PAUSABLE))}")
    return Switch(stage, None if tenant is None else given("--tenant", tenant))


def _still_in_the_way(ledger: Ledger, switch: Switch) -> list[str]:
    """The pauses that cover what has just been resumed, or a part of it."""
    return [
        str(one.switch)
        for one in read_pauses(ledger)
        if ALL in {one.switch.stage, switch.stage} or one.switch.stage == switch.stage
        if None in {one.switch.tenant, switch.tenant} or one.switch.tenant == switch.tenant
    ]


def _named(switch: Switch) -> str:
    what = "everything" if switch.stage == ALL else switch.stage
    return what.capitalize() if switch.tenant is None else f"{what.capitalize()} for {switch.tenant}"


def _arguments(switch: Switch) -> str:
    return switch.stage if switch.tenant is None else f"{switch.stage} --tenant {switch.tenant}"
