"""What a good team writes without a framework: asyncio, the SDK, a semaphore, and SQLite to go on from after a crash.

Every request is on record before it leaves and every answer when it is there; an answer kept is not asked for again.
What a request cost, who may ask, and what several processes ask at once is not looked after.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anthropic

from benchmarks.rivals.player import Names, Player
from benchmarks.work import IN_FLIGHT, STAGES, request
from contracts.content import InsightReport

SCHEMA: Final = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL; -- as Penstock's ledger: what the machine's fall takes is paid for again
    CREATE TABLE IF NOT EXISTS batches (
        name TEXT PRIMARY KEY, state TEXT NOT NULL, error TEXT, changed_at TEXT DEFAULT CURRENT_TIMESTAMP
    );
    CREATE TABLE IF NOT EXISTS calls (
        batch TEXT, stage INTEGER, item INTEGER, purpose TEXT, request TEXT NOT NULL, answer TEXT,
        input_tokens INTEGER, output_tokens INTEGER, asked_at TEXT DEFAULT CURRENT_TIMESTAMP, answered_at TEXT,
        PRIMARY KEY (batch, stage, item, purpose)
    );
"""
ASKED: Final = """
    INSERT INTO calls (batch, stage, item, purpose, request) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET request = iif(answer IS NULL, excluded.request, request) RETURNING answer
"""
ANSWERED: Final = """
    UPDATE calls SET answer = ?, input_tokens = ?, output_tokens = ?, answered_at = CURRENT_TIMESTAMP
    WHERE (batch, stage, item, purpose) = (?, ?, ?, ?)
"""
BECAME: Final = """
    INSERT INTO batches (name, state, error) VALUES (?, ?, ?) ON CONFLICT DO UPDATE
    SET state = excluded.state, error = excluded.error, changed_at = CURRENT_TIMESTAMP
"""
DELAYS_S: Final = (1.0, 5.0, 25.0)
PASSING: Final = (anthropic.RateLimitError, anthropic.InternalServerError, anthropic.APIConnectionError)

Call = tuple[str, int, int, str]
"""Batch, stage, item and purpose."""


class Book:
    """The SQLite file, written by one thread, each statement a transaction."""

    def __init__(self, path: Path) -> None:
        self._writer = ThreadPoolExecutor(1, "book")
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.executescript(SCHEMA)

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        """Execute a statement; the rows it gives."""
        return await asyncio.get_running_loop().run_in_executor(
            self._writer, lambda: self._file.execute(statement, values).fetchall()
        )

    def close(self) -> None:
        """Finish what is being written."""
        self._writer.shutdown()
        self._file.close()


class Pipeline:
    """Batches through their stages, as many at once as there are, with a bound on requests in flight."""

    def __init__(self, book: Book, client: anthropic.AsyncAnthropic) -> None:
        self._book, self._client = book, client
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._request = request()

    async def batch(self, name: str) -> None:
        """One batch, from where it was left; a failure stays with it."""
        if await self._book.rows("SELECT 1 FROM batches WHERE name = ? AND state = 'DONE'", name):
            return
        try:
            for stage, width in enumerate(STAGES, 1):
                await self._book.rows(BECAME, name, f"STAGE {stage}", None)
                await finished(self._item(name, stage, item) for item in range(width))
        except BaseExceptionGroup as failed:
            await self._book.rows(BECAME, name, "FAILED", repr(failed.exceptions))
            raise
        await self._book.rows(BECAME, name, "DONE", None)

    async def _item(self, batch: str, stage: int, item: int) -> None:
        for purpose in ("generate", "judge"):
            await self._ask((batch, stage, item, purpose), self._request)

    async def _ask(self, call: Call, body: dict[str, Any]) -> InsightReport:
        """The answer, from the book where it was given before."""
        [(kept,)] = await self._book.rows(ASKED, *call, json.dumps(body))
        if kept is not None:
            return InsightReport.model_validate_json(kept)
        reply = await self._reply(body)
        text, usage = reply.content[0].text, reply.usage
        await self._book.rows(ANSWERED, text, usage.input_tokens, usage.output_tokens, *call)
        return InsightReport.model_validate_json(text)

    async def _reply(self, body: dict[str, Any]) -> Any:
        for delay_s in DELAYS_S:
            try:
                async with self._slots:
                    return await self._client.messages.create(**body)
            except PASSING as error:
                # Without a slot: others may ask while this one waits.
                await asyncio.sleep(_wished_s(error, delay_s * random.uniform(0.8, 1.2)))  # noqa: S311 - jitter
        async with self._slots:
            return await self._client.messages.create(**body)


async def finished(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once, each to its end, then what failed: an answer on its way is paid for and to be kept."""
    ends = await asyncio.gather(*work, return_exceptions=True)
    if failed := [end for end in ends if isinstance(end, BaseException)]:
        raise BaseExceptionGroup(f"{len(failed)} of {len(ends)} failed", failed)


def _wished_s(error: anthropic.APIError, planned_s: float) -> float:
    """Seconds to wait: what the provider asks for, else what was planned."""
    if isinstance(error, anthropic.APIStatusError) and "retry-after" in error.response.headers:
        return float(error.response.headers["retry-after"])
    return planned_s


@contextmanager
def ready(url: str, folder: Path) -> Iterator[Player]:
    """A book in the folder."""
    book = Book(folder / "by_hand.db")

    async def play(names: Names) -> None:
        async with anthropic.AsyncAnthropic(api_key="offline", base_url=url, max_retries=0) as client:
            await finished(map(Pipeline(book, client).batch, names))

    try:
        yield Player(play)
    finally:
        book.close()
