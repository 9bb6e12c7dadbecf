"""What a server has seen: requests by schema, in flight, tokens; with recording on, the requests themselves."""

from collections import Counter
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
    """Counts since the start; requests in flight are counted from their arrival to their answer."""

    total: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    by_schema: Counter[str] = field(default_factory=Counter)
    requests: list[RecordedRequest] = field(default_factory=list)

    def begin(self) -> str:
        """Count a request in; its id, unique in this server."""
        self.total += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        return f"req_offline_{self.total:08d}"

    def end(self) -> None:
        """Count a request out."""
        self.in_flight -= 1

    def count(self, title: str | None) -> None:
        """Count a message by the title of its schema, `none` where it has none."""
        self.by_schema[title or PLAIN] += 1

    def spend(self, input_tokens: int, output_tokens: int) -> None:
        """Add an answered message's tokens."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def summary(self) -> dict[str, Any]:
        """The figures with stable keys; the request that asks is in none of them."""
        return {
            "messages": self.by_schema.total(),
            "by_schema": dict(sorted(self.by_schema.items())),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }
