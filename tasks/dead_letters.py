"""Working through dead letters: replayed at a pace, exported as they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from errno import EACCES, EDQUOT, EISDIR, ENOSPC, EPERM, EROFS
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from contracts.errors import OperatorError
from ledger.dead_letters import DeadLetter, LetterFilter, letter_ids, read_letter
from ledger.engine import Ledger
from ledger.replays import replay_letter

MINUTE_S: Final = 60.0
LONGEST: Final = timedelta(days=36_500)

Sleep = Callable[[float], Awaitable[None]]


class WrongFilterError(OperatorError):
    """A filter that nobody can read, or that two cannot be together."""


class UnwritablePathError(OperatorError):
    """No file can be at that path; the message says why."""


def chosen(
    *,
    stage: str | None,
    error: str | None,
    tenant: str | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    now: datetime,
) -> LetterFilter:
    """The filter that a form or a command line means; ages are counted back from now.

    WrongFilterError for an empty name, such as a variable of a script that was not set, and for an age out of reach.
    """

    def named(what: str, name: str | None) -> str | None:
        if name is not None and not name.strip():
            raise WrongFilterError(f"{what} is empty: name what is meant, or leave it out for all")
        return name and name.strip()

    def since(age: timedelta | None) -> datetime | None:
        if age is not None and age > LONGEST:
            raise WrongFilterError(f"an age of {age.days} days is out of reach: at most {LONGEST.days}")
        return None if age is None else now - age

    return LetterFilter(
        named("stage", stage),
        named("error", error),
        named("tenant", tenant),
        older_than=since(older_than),
        newer_than=since(newer_than),
    )


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
    draft, opened = _opened(path)
    count = 0
    try:
        with opened as out:
            for letter_id in letter_ids(ledger, only):
                letter = read_letter(ledger, letter_id)
                if letter is not None:
                    out.write(line_of(letter))
                    count += 1
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return count


def _opened(path: Path) -> tuple[Path, BinaryIO]:
    """The draft of the file at `path`, open; UnwritablePathError where none can be. Of a full disk others tell."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder")
        draft = path.with_name(f".{path.name}.part")
        return draft, draft.open("wb")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT, EROFS, EACCES, EPERM}:
            raise
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnwritablePathError(
            f"no file can be written at {str(path)!r}: {why}; name one in a folder that can be had"
        ) from error


def line_of(letter: DeadLetter) -> bytes:
    """The letter as one line of NDJSON; money as a decimal number in text."""
    return orjson.dumps(asdict(letter), default=str, option=orjson.OPT_APPEND_NEWLINE)
