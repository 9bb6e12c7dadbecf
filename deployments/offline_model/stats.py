"""What a server has seen: requests by schema, plays by kind, tokens; with recording on, the requests themselves."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

PLAIN = "none"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came over the wire; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The body's value; orjson.JSONDecodeError where it is not JSON."""
        return orjson.loads(self.body)


@dataclass(slots=True)
class Stats:
    """Counts since the start; a message is in flight from when it is read until it is answered."""

    responses: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    by_schema: Counter[str] = field(default_factory=Counter)
    played: Counter[str] = field(default_factory=Counter)
    requests: list[RecordedRequest] = field(default_factory=list)

    def next_id(self) -> str:
        """A request id, unique in this server."""
        self.responses += 1
        return f"req_offline_{self.responses:08d}"

    @contextmanager
    def flight(self, title: str | None) -> Iterator[None]:
        """Count a message by the title of its schema (`none` without one), and as in flight inside the block."""
        self.by_schema[title or PLAIN] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def spend(self, input_tokens: int, output_tokens: int) -> None:
        """Add an answered message's tokens."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def summary(self) -> dict[str, Any]:
        """The figures with stable keys."""
        return {
            "messages": self.by_schema.total(),
            "by_schema": dict(sorted(self.by_schema.items())),
            "played": dict(sorted(self.played.items())),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }
