"""A Variable of Prefect's as an operator has it in the UI, and one look of Penstock's at all of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from flows.switches import VARIABLE
from flows.watch import look
from ledger.mirrors import leave_mirror
from tasks.runtime import current_runtime


async def looked() -> None:
    """One look at switches, budgets and signals, by a process that ends after it."""
    run = current_runtime()
    async with get_client() as client:
        await look(client, run)
    await run.in_ledger(leave_mirror, VARIABLE, run.owner)


@contextmanager
def variable_named(name: str) -> Iterator["Variable"]:
    """One that is not there, before the block and after it."""
    made = Variable(name)
    made.remove()
    yield made
    made.remove()


class Variable:
    """Reads, writes and removes it; its value is None where there is none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self) -> Any:
        """The value."""
        found = self._found()
        return None if found is None else found.value

    def tags(self) -> list[str]:
        """What stands beside it in the list."""
        return list(self._found().tags)

    def _found(self) -> Any:
        async def read() -> Any:
            async with get_client() as client:
                return await client.read_variable_by_name(self.name)

        return asyncio.run(read())

    def write(self, value: Any) -> None:
        """Make it, or change it."""

        async def write() -> None:
            async with get_client() as client:
                if await client.read_variable_by_name(self.name) is None:
                    await client.create_variable(VariableCreate(name=self.name, value=value))
                else:
                    await client.update_variable(VariableUpdate(name=self.name, value=value))

        asyncio.run(write())

    def remove(self) -> None:
        """Remove it where there is one."""

        async def remove() -> None:
            async with get_client() as client:
                if await client.read_variable_by_name(self.name) is not None:
                    await client.delete_variable_by_name(self.name)

        asyncio.run(remove())
