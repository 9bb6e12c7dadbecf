"""Writes that come up at once go into one transaction: the batches of a process share a commit, and a thread."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from ledger.engine import Ledger
from ledger.together import Step, write_together

R = TypeVar("R")


class Together:
    """While one transaction is written, what comes up waits for the next: so they are as large as there is a need."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[Step, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def __call__(self, step: Callable[[Any], R]) -> R:
        """What the step returns, once it is committed.

        Raises:
            Exception: whatever the step raises; nothing of it is kept then.
            LedgerFaultError: the ledger failed; nothing is written.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        taken: list[tuple[Step, asyncio.Future[Any]]] = []
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                # Who was cancelled meanwhile wants nothing written.
                taken = [(step, future) for step, future in taken if not future.done()]
                results = await self._results([step for step, _ in taken])
                for (_, future), result in zip(taken, results, strict=True):
                    _settle(future, result)
        finally:
            self._writing = None
            for _, future in taken + self._waiting:
                future.cancel()  # of those that are settled nothing is changed

    async def _results(self, steps: list[Step]) -> list[Any]:
        try:
            return await asyncio.to_thread(write_together, self._ledger, steps)
        except Exception as error:  # noqa: BLE001 - raised where each step was asked for
            return [error] * len(steps)


def _settle(future: asyncio.Future[Any], result: Any) -> None:  # noqa: ANN401 - whatever a step returns
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
