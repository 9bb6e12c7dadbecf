"""The workshop: so many pieces of work at once, and none takes more time or memory than it may."""

import asyncio
import os
import time
from pathlib import Path

from tasks.attachments.refusals import BrokenAttachmentError
from tasks.attachments.workshop import IN_FLIGHT, Workshop


def take_memory(size: int) -> int:
    """So many bytes, all of them used."""
    return len(bytearray(size))


def note(folder: Path, number: int) -> None:
    """Leave a note while at work, and take it away."""
    path = folder / str(number)
    path.touch()
    time.sleep(0.01)
    path.unlink()


def worked(*pieces, **bounds):
    """What came of pieces of work, each a function and its arguments."""

    async def work():
        async with Workshop(**bounds) as workshop:
            return await asyncio.gather(*(workshop.run(*piece) for piece in pieces), return_exceptions=True)

    return asyncio.run(work())


def test_a_piece_that_takes_too_long_is_refused_and_the_others_go_on():
    """Its process is ended."""
    late, done = worked((time.sleep, 600), (len, "four"), most_s=1.5)
    assert isinstance(late, BrokenAttachmentError)
    assert "within 1.5 s" in str(late)
    assert done == 4


def test_a_piece_that_takes_too_much_memory_is_refused_and_the_others_go_on():
    """Whoever runs beside it is not touched."""
    large, done = worked((take_memory, 2 * 1024**3), (take_memory, 1_000))
    assert isinstance(large, BrokenAttachmentError)
    assert "1,024 MiB of memory" in str(large)
    assert done == 1_000


def test_a_process_that_dies_takes_only_its_own_piece_with_it():
    """What a library does to it stays there."""
    dead, done = worked((os._exit, 9), (len, "four"))
    assert isinstance(dead, BrokenAttachmentError)
    assert done == 4


def test_what_a_piece_raises_is_raised():
    """As it is."""
    (wrong,) = worked((int, "no number"))
    assert isinstance(wrong, ValueError)


def test_never_more_than_ten_are_in_flight(tmp_path, monkeypatch):
    """However many are asked for: counted where they are handed to the pool."""

    async def work():
        at_once = most = 0
        async with Workshop() as workshop:
            schedule = workshop._pool.schedule

            def counted(*args, **kwargs):
                nonlocal at_once, most
                at_once += 1
                most = max(most, at_once)
                future = schedule(*args, **kwargs)

                def ended(_):
                    nonlocal at_once
                    at_once -= 1

                future.add_done_callback(ended)
                return future

            monkeypatch.setattr(workshop._pool, "schedule", counted)
            await asyncio.gather(*(workshop.run(note, tmp_path, number) for number in range(60)))
        return most

    assert asyncio.run(work()) == IN_FLIGHT == 10


def test_a_workshop_that_nobody_used_ends():
    """Without a process."""
    assert worked() == []
