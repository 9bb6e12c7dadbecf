"""What a process that runs flows for long does once, when it begins."""

import gc
from threading import Event

from flows.cockpit import at_hand
from tasks.runtime import current_runtime


def test_what_is_loaded_by_then_is_not_looked_through_for_garbage_any_more(world):
    """Looked through again and again, it would stop all runs for half a second each time."""

    async def settled():
        async with at_hand(current_runtime().settings, Event()):
            return gc.get_freeze_count()

    gc.unfreeze()
    try:
        assert world.run(settled) > 10_000
    finally:
        gc.unfreeze()
