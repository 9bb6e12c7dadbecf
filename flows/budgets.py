"""Budgets in Prefect's UI: a Variable that shows what is in force, and in which operators change it."""

import asyncio
from datetime import datetime
from typing import Final

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.logging import get_logger

from ledger.budgets import note_budget, note_budget_shown, read_budget
from ledger.engine import Ledger
from tasks.settings import Settings

VARIABLE: Final = "penstock_budgets"
"""`{"solutions_per_window": 100}`: as many may be made for a tenant in any window; null, and the setting decides."""
SOLUTIONS: Final = "solutions_per_window"
TAGS: Final = ["penstock", "solutions a tenant may have per window (24 h)"]
"""A Variable has no description; its tags stand beside it in the list."""


async def solutions_budget(ledger: Ledger, settings: Settings) -> int:
    """How many solutions a tenant may have in a window: as an operator has it in the UI, else as it is set."""
    return await asyncio.to_thread(read_budget, ledger, SOLUTIONS) or settings.solutions_per_window


async def sync_budgets(client: PrefectClient, ledger: Ledger, settings: Settings, now: datetime) -> None:
    """Take over what operators changed in the Variable, and show in it what is in force."""
    variable = await client.read_variable_by_name(VARIABLE)
    value = None if variable is None else variable.value
    if variable is not None and _is_possible(value, settings.solutions_of_a_batch):
        assert isinstance(value, dict)  # noqa: S101 - what is possible is one
        if await asyncio.to_thread(note_budget, ledger, SOLUTIONS, value[SOLUTIONS], now):
            get_logger("penstock").info("%s is %r now", VARIABLE, value)
    in_force = {SOLUTIONS: await solutions_budget(ledger, settings)}
    if value == in_force:
        return
    if variable is None:
        await client.create_variable(VariableCreate(name=VARIABLE, value=in_force, tags=TAGS))
    else:
        await client.update_variable(VariableUpdate(name=VARIABLE, value=in_force))
    await asyncio.to_thread(note_budget_shown, ledger, SOLUTIONS, in_force[SOLUTIONS], now)


def _is_possible(value: object, least: int) -> bool:
    """True where every batch can live with it; a warning where not."""
    if isinstance(value, dict) and value.keys() == {SOLUTIONS}:
        most = value[SOLUTIONS]
        if most is None or (type(most) is int and most >= least):
            return True
    get_logger("penstock").warning(
        "the Variable %s is %r and is put right: it takes {%r: N}, N at least %d, which is what one batch makes, "
        "or null",
        *(VARIABLE, value, SOLUTIONS, least),
    )
    return False
