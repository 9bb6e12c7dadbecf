"""The kill switches in Prefect's UI: a Variable that shows what is paused, in which operators pause and resume."""

import asyncio
from datetime import datetime
from typing import Final

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.logging import get_logger

from flows.pipelines import PAUSABLE
from ledger.engine import Ledger
from ledger.mirrors import merge_switches, note_shown
from ledger.pauses import Switch

VARIABLE: Final = "penstock_paused"
"""A list such as `["solutions", "insights@acme", "all"]`; empty when nothing is paused."""
TAGS: Final = ["penstock", 'stages that are paused, such as ["solutions"]']
"""A Variable has no description; its tags stand beside it in the list."""


async def sync_switches(client: PrefectClient, ledger: Ledger, now: datetime) -> None:
    """Take over what operators changed in the Variable, and show in it what is in force."""
    variable = await client.read_variable_by_name(VARIABLE)
    shown = None if variable is None else switches_in(variable.value)
    in_force = await asyncio.to_thread(merge_switches, ledger, VARIABLE, shown, now)
    if shown != in_force:
        value = sorted(map(str, in_force))
        if variable is None:
            await client.create_variable(VariableCreate(name=VARIABLE, value=value, tags=TAGS))
        else:
            await client.update_variable(VariableUpdate(name=VARIABLE, value=value))
        await asyncio.to_thread(note_shown, ledger, VARIABLE, in_force)


def switches_in(value: object) -> frozenset[Switch] | None:
    """The switches that the Variable's value names; None where it is nothing of the kind.

    A name that is no stage is left out, with a warning: what it was to pause goes on.
    """
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        get_logger("penstock").warning("the Variable %s is not a list of stages: %r", VARIABLE, value)
        return None
    switches = frozenset(map(Switch.parse, value))
    for unknown in sorted(str(switch) for switch in switches if switch.stage not in PAUSABLE):
        get_logger("penstock").warning(
            "the Variable %s names %r, which is no stage; there are %s",
            VARIABLE,
            unknown,
            ", ".join(sorted(PAUSABLE)),
        )
    return frozenset(switch for switch in switches if switch.stage in PAUSABLE)
