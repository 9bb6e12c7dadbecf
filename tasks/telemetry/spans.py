"""A batch's story as the spans of one trace: from its events' acceptance to its deliverables' arrival.

Ids follow from the batch, so any process may add to a trace and telling a story twice tells the same spans.
Model calls carry OpenTelemetry's semantic conventions for generative AI, version 1.37 (`gen_ai.*`, operation `chat`).
What events say, and who said it, is in none of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

from contracts.batches import BatchState
from ledger.stories import Accepted, CallStory, Delivery, StageStory, Stay, Story

Value = str | int | float | tuple[str, ...]
Kind = Literal["internal", "client", "producer"]

MOST_EVENTS: Final = 100
"""Events of a batch with a span of their own; a batch may hold thousands."""
UNANSWERED: Final = "no answer is on record"
WAITS: Final = {
    BatchState.PENDING: "wait for the throttle",
    BatchState.READY: "wait for a turn",
    BatchState.WAITING: "wait for answers",
    BatchState.HELD: "held",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in a trace; `error` is why it failed."""

    name: str
    trace_id: int
    id: int
    parent: int | None
    since: datetime
    until: datetime
    kind: Kind = "internal"
    attributes: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None


def trace_id(batch: str) -> int:
    """The 128-bit id of a batch's trace."""
    return _number(16, "trace", batch)


def spans_of(story: Story, provider: str) -> tuple[Span, ...]:
    """All spans of a story, the batch's own first; `provider` is whose models were called."""
    told = _Telling(story, provider)
    parts = (told.events(), told.waits(), told.stages(), told.calls(), told.deliveries())
    children = tuple(span for part in parts for span in part)
    return (told.batch(max([story.at, *(span.until for span in children)])), *children)


@dataclass(frozen=True, slots=True)
class _Telling:
    story: Story
    provider: str

    def batch(self, until: datetime) -> Span:
        story = self.story
        failed = story.state is not BatchState.DONE
        return Span(
            f"batch {story.level}",
            trace_id(story.batch),
            self._id("batch"),
            None,
            story.since,
            until,
            attributes={
                **self._common(),
                "penstock.state": story.state.value,
                "penstock.events": len(story.events),
            },
            error=story.reason if failed else None,
        )

    def events(self) -> Iterator[Span]:
        for event in self.story.events[:MOST_EVENTS]:
            yield self._accepted(event)

    def _accepted(self, event: Accepted) -> Span:
        made = self.story.stays[0].since if self.story.stays else self.story.at
        attributes: dict[str, Value] = {"penstock.event": event.id, "penstock.kind": event.kind}
        return self._span(f"collect {event.kind}", ("event", event.id), event.at, made, attributes)

    def waits(self) -> Iterator[Span]:
        for place, stay in enumerate(self.story.stays):
            if stay.state in WAITS:
                yield self._wait(place, stay)

    def _wait(self, place: int, stay: Stay) -> Span:
        attributes: dict[str, Value] = {"penstock.reason": stay.reason} if stay.reason else {}
        return self._span(WAITS[stay.state], ("stay", str(place)), stay.since, stay.until, attributes)

    def stages(self) -> Iterator[Span]:
        for stage in self.story.stages:
            yield self._stage(stage)

    def _stage(self, stage: StageStory) -> Span:
        until = stage.until or self.story.at
        return self._span(
            f"stage {stage.name}",
            ("stage", stage.name),
            stage.since,
            until,
            {"penstock.stage": stage.name},
            error=stage.error,
        )

    def calls(self) -> Iterator[Span]:
        staged = {stage.name: stage for stage in self.story.stages}
        for call in self.story.calls:
            yield self._call(call, staged.get(call.stage))

    def _call(self, call: CallStory, stage: StageStory | None) -> Span:
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": call.model,
            "gen_ai.usage.input_tokens": call.input_tokens,
            "gen_ai.usage.output_tokens": call.output_tokens,
            "penstock.call": call.id,
            "penstock.stage": call.stage,
            "penstock.item": call.item,
            "penstock.purpose": call.purpose,
            "penstock.attempt": call.attempt,
            "penstock.cost_usd": float(call.cost_usd),
        }
        if call.reply_model is not None:
            attributes["gen_ai.response.model"] = call.reply_model
        if call.stop_reason is not None:
            attributes["gen_ai.response.finish_reasons"] = (call.stop_reason,)
        error = call.error if call.until else UNANSWERED
        if error is not None:
            attributes["error.type"] = call.error or "_OTHER"
        is_within = stage is not None and stage.since <= call.since
        return self._span(
            f"chat {call.model}",
            ("call", call.id),
            call.since,
            call.until or call.since,
            attributes,
            parent=self._id("stage", call.stage) if is_within else None,
            kind="client",
            error=error,
        )

    def deliveries(self) -> Iterator[Span]:
        for delivery in self.story.deliveries:
            yield self._delivery(delivery)

    def _delivery(self, delivery: Delivery) -> Span:
        attributes: dict[str, Value] = {
            "penstock.deliverable": delivery.id,
            "penstock.kind": delivery.kind,
            "penstock.attempts": delivery.attempts,
        }
        until = delivery.until or max(delivery.since, self.story.at)
        name, key = f"deliver {delivery.channel}", ("delivery", delivery.id, delivery.channel)
        return self._span(name, key, delivery.since, until, attributes, kind="producer", error=delivery.error)

    def _span(
        self,
        name: str,
        key: tuple[str, ...],
        since: datetime,
        until: datetime,
        attributes: Mapping[str, Value],
        *,
        parent: int | None = None,
        kind: Kind = "internal",
        error: str | None = None,
    ) -> Span:
        """A span beneath the batch's. No end is before its beginning: clocks of several machines may say so."""
        return Span(
            name,
            trace_id(self.story.batch),
            self._id(*key),
            parent or self._id("batch"),
            since,
            max(since, until),
            kind,
            {**self._common(), **attributes},
            error,
        )

    def _common(self) -> dict[str, Value]:
        story = self.story
        return {
            "penstock.batch": story.batch,
            "penstock.tenant": story.tenant,
            "penstock.level": story.level,
            "penstock.scope": story.scope,
            "penstock.pipeline": story.pipeline,
        }

    def _id(self, *key: str) -> int:
        return _number(8, self.story.batch, str(self.story.end), *key)


def _number(size: int, *key: str) -> int:
    """A number of `size` bytes that follows from the key; zero means none in OpenTelemetry and does not come."""
    return int.from_bytes(sha256("\0".join(key).encode()).digest()[:size]) or 1
