"""Working through dead letters: replayed at a pace, exported as they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from ledger.dead_letters import DeadLetter, LetterFilter, letter_ids, read_letter
from ledger.engine import Ledger
from ledger.replays import replay_letter

MINUTE_S: Final = 60.0

Sleep = Callable[[float], Awaitable[None]]


def chosen(
    *,
    stage: str | None,
    error: str | None,
    tenant: str | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    now: datetime,
) -> LetterFilter:
    """The filter that a form or a command line means; ages are counted back from now."""

    def since(age: timedelta | None) -> datetime | None:
        return None if age is None else now - age

    return LetterFilter(stage, error, tenant, older_than=since(older_than), newer_than=since(newer_than))


async def replay_paced(
    ledger: Ledger,
    ids: Iterable[str],
    *,
    per_minute: float | None,
    clock: Callable[[], datetime],
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[tuple[str, bool]]:
    """Replay the letters one after another, at most `per_minute` of them; yields each id and whether it went.

    Each is on record when it is yielded: broken off and begun again, it goes on where it stopped.
    """
    for position, letter_id in enumerate(ids):
        if position and per_minute:
            await sleep(MINUTE_S / per_minute)
        letter = await asyncio.to_thread(read_letter, ledger, letter_id)
        went = letter is not None and await asyncio.to_thread(replay_letter, ledger, letter, clock())
        yield letter_id, went


def export_letters(ledger: Ledger, only: LetterFilter, path: Path) -> int:
    """Write the letters that fit to `path`, one JSON object a line, oldest first; returns how many.

    The file is written beside its place and then put there: whole, or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with draft.open("wb") as out:
            for letter_id in letter_ids(ledger, only):
                letter = read_letter(ledger, letter_id)
                if letter is not None:
                    out.write(line_of(letter))
                    count += 1
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return count


def line_of(letter: DeadLetter) -> bytes:
    """The letter as one line of NDJSON; money as a decimal number in text."""
    return orjson.dumps(asdict(letter), default=str, option=orjson.OPT_APPEND_NEWLINE)
