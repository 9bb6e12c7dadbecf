"""Among several servers, by Redis."""

from typing import Any

from prefect.server.utilities.messaging import MessageHandler
from prefect_redis import messaging
from prefect_redis.messaging import Publisher, break_topic, ephemeral_subscription

from deployments.event_bus import only_what_concerns

__all__ = ["Consumer", "Publisher", "break_topic", "ephemeral_subscription"]


class Consumer(messaging.Consumer):  # type: ignore[misc] # prefect-redis publishes no types
    """As prefect-redis's, for a service that is named by its group."""

    def __init__(self, topic: str, group: str | None = None, **given: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(topic, group=group, **given)
        self._of = group

    async def run(self, handler: MessageHandler) -> None:
        """Hand over what concerns the service, for ever."""
        await super().run(only_what_concerns(self._of, handler) if self.topic == "events" else handler)
