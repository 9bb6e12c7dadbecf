"""Within one server's process."""

from typing import Any

from prefect.server.utilities.messaging import MessageHandler, memory
from prefect.server.utilities.messaging.memory import Publisher, break_topic, ephemeral_subscription

from deployments.event_bus import only_what_concerns

__all__ = ["Consumer", "Publisher", "break_topic", "ephemeral_subscription"]


class Consumer(memory.Consumer):
    """As Prefect's, for a service that is named by its group."""

    def __init__(self, topic: str, group: str | None = None, **given: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(topic, **given)
        self._group = group

    async def run(self, handler: MessageHandler) -> None:
        """Hand over what concerns the service, for ever."""
        await super().run(
            only_what_concerns(self._group, handler) if self.topic.name == "events" else handler
        )
