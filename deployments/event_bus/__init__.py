"""Prefect's event bus, whose services are handed only what they have a use for.

Each of the server's services (the recorder of task runs, what writes events down, the triggers, the feed of the UI)
takes every event apart by itself, a third of a millisecond each, to find that most are none of its business. Here an
event is looked at once, from outside: a task run's goes to the recorder, which no other does; of items, which are many
and short, it goes nowhere else: their rows say all that their events would.

`memory` and `redis` are Prefect's own brokers behind this rule, for `PREFECT_SERVER_EVENTS_MESSAGING_BROKER`.
"""

from typing import Final

from prefect.server.utilities.messaging import Message, MessageHandler

from flows.names import ROW_ONLY

RECORDER: Final = "task-run-recorder"
"""The group by which Prefect's recorder of task runs subscribes."""
_MARK: Final = ROW_ONLY.encode()


def concerns(group: str | None, message: Message) -> bool:
    """Whether a service has a use for an event."""
    is_task_run = str((message.attributes or {}).get("event", "")).startswith("prefect.task-run.")
    if group == RECORDER:
        return is_task_run
    return not (is_task_run and _MARK in _bytes(message.data))


def only_what_concerns(group: str | None, handler: MessageHandler) -> MessageHandler:
    """The handler of a service, which sees nothing else."""

    async def handle(message: Message) -> None:
        if concerns(group, message):
            await handler(message)

    return handle


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
