"""Prefect's event bus with our rule before its services."""

import asyncio
from dataclasses import dataclass, field

import pytest
from prefect.server.utilities.messaging import BrokerModule

from deployments.event_bus import RECORDER, concerns, memory, redis
from flows.names import ROW_ONLY

ROW = f'{{"resource": {{"{ROW_ONLY}": "true"}}}}'


@dataclass
class Message:
    """What a broker hands over."""

    data: bytes | str = b"{}"
    attributes: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("group", "event", "data", "does"),
    [
        (RECORDER, "prefect.task-run.Running", "{}", True),
        (RECORDER, "prefect.task-run.Running", ROW, True),
        (RECORDER, "penstock.batch.ready", "{}", False),
        (RECORDER, "prefect.flow-run.Running", "{}", False),
        ("event-persister", "prefect.task-run.Running", "{}", True),
        ("event-persister", "prefect.task-run.Running", ROW, False),
        ("event-persister", "prefect.task-run.Running", ROW.encode(), False),
        ("reactive-triggers", "prefect.task-run.Failed", ROW, False),
        ("reactive-triggers", "penstock.batch.ready", "{}", True),
        ("reactive-triggers", "penstock.batch.ready", ROW, True),
        (None, "prefect.task-run.Running", ROW, False),
        (None, "prefect.task-run.Running", "{}", True),
        (None, "", "{}", True),
    ],
)
def test_a_service_is_handed_what_it_has_a_use_for(group, event, data, does):
    """Task runs to their recorder, all else to the others; rows of items nowhere else, whoever else's label it is."""
    assert concerns(group, Message(data, {"event": event})) is does


def test_the_subscription_of_a_service_keeps_to_the_rule_within_one_process():
    """By the real broker: what is published on the bus reaches each by the rule, and other topics are let be."""

    async def played():
        all_seen = asyncio.Semaphore(0)
        seen = {RECORDER: [], "event-persister": [], "logs": []}
        topics = {RECORDER: "events", "event-persister": "events", "logs": "logs"}
        running = []
        for group, topic in topics.items():

            async def handle(message, group=group):
                seen[group].append(message.attributes["event"])
                all_seen.release()

            consumer = memory.Consumer(topic, group=group)
            running.append((consumer, asyncio.create_task(consumer.run(handle))))
        for topic in ("events", "logs"):
            async with memory.Publisher(topic, cache=None) as publisher:
                await publisher.publish_data(ROW.encode(), {"event": "prefect.task-run.Running"})
                await publisher.publish_data(b"{}", {"event": "penstock.batch.done"})
        for _ in range(4):
            await all_seen.acquire()
        for consumer, task in running:
            task.cancel()
            await asyncio.wait([task])
            await consumer.cleanup()
        return seen

    both = ["prefect.task-run.Running", "penstock.batch.done"]
    assert asyncio.run(played()) == {RECORDER: both[:1], "event-persister": both[1:], "logs": both}


@pytest.mark.parametrize("module", [memory, redis])
def test_prefects_server_takes_the_module_for_a_broker(module):
    """By the check that the server itself makes of what its setting names."""
    assert isinstance(module, BrokerModule)
