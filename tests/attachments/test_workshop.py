"""The workshop: so many pieces of work at once, and none takes more time or memory than it may."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from tasks.attachments.refusals import BrokenAttachmentError
from tasks.attachments.steps import checked, marked, thumbnail
from tasks.attachments.workshop import IN_FLIGHT, Workshop, WorkshopError

AT_WORK_S = 0.5


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
    large, done = worked((take_memory, 3 * 1024**3), (take_memory, 1_000))
    assert isinstance(large, BrokenAttachmentError)
    assert "2,048 MiB of memory" in str(large)
    assert done == 1_000


def test_a_library_that_falls_over_takes_only_its_own_piece_with_it():
    """That is the file's fault."""
    dead, done = worked((fall_over,), (len, "four"))
    assert isinstance(dead, BrokenAttachmentError)
    assert "fell over" in str(dead)
    assert done == 4


def test_a_process_that_is_ended_from_outside_is_not_the_files_fault():
    """A machine that is short of memory kills whom it likes."""
    dead, done = worked((end_this,), (len, "four"))
    assert isinstance(dead, WorkshopError)
    assert done == 4


def test_nothing_of_a_workshop_hears_what_is_sent_to_all_of_its_group():
    """Ctrl-C, and SIGTERM as systemd sends it: who is told to stop finishes what is in work."""
    blocked = {signal.SIGINT, signal.SIGTERM}
    assert worked((held_back,)) == [sorted(blocked)]


def held_back() -> list[int]:
    """Which of the signals to stop this process does not hear."""
    return sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, signal.SIGTERM})


def end_this() -> None:
    """As the system ends a process that has been at work for a while."""
    time.sleep(AT_WORK_S)
    os.kill(os.getpid(), signal.SIGKILL)


def fall_over() -> None:
    """As a library does that has been at work for a while."""
    time.sleep(AT_WORK_S)
    os.abort()


def end_at_once(mark: Path) -> str:
    """As a process that is ended before anybody knows what it is working on; the second time it is not."""
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return "done"


def test_a_pool_that_breaks_is_replaced_and_what_was_in_it_is_begun_again(tmp_path):
    """Whoever was beside it is done, too."""
    pieces = [(end_at_once, tmp_path / "mark"), *[(len, "four")] * 6]
    first, *others = worked(*pieces)
    assert first == "done" or isinstance(first, WorkshopError)
    assert others == [4] * 6


def test_after_a_pool_was_broken_the_next_piece_is_worked_on(monkeypatch):
    """One that takes nothing any more is not asked again."""

    async def work():
        async with Workshop() as workshop:
            broken = workshop._pool
            monkeypatch.setattr(broken, "schedule", refuses)
            found = await workshop.run(len, "four")
            return found, workshop._pool is not broken

    assert asyncio.run(work()) == (4, True)


def refuses(*_args, **_kwargs):
    """As Pebble's pool once it is broken."""
    raise RuntimeError("Unexpected error within the Pool")


@pytest.mark.parametrize(
    ("form", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_a_picture_of_the_most_pixels_is_worked_on(tmp_path, form, kind):
    """Forty million, of every type that may have as many in one frame."""
    path = tmp_path / "large"
    Image.effect_noise((8_000, 5_000), 20).convert("RGB").resize((8_000, 5_000)).save(path, form)
    out = tmp_path / "out"
    results = worked(
        (checked, path), (marked, path, kind, out, "acme"), (thumbnail, path, kind, out.with_suffix(".small"))
    )
    assert results == [kind, None, None]


def test_after_one_that_took_too_much_memory_the_next_is_worked_on_as_ever():
    """By a process of its own: one that has run out has not all of it any more."""
    most = 600 * 1024**2
    pieces = [(take_memory, 1024**3), *[(take_memory, 300 * 1024**2)] * 4]
    refused, *done = worked(*pieces, most_memory=most)
    assert isinstance(refused, BrokenAttachmentError)
    assert done == [300 * 1024**2] * 4


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
