"""Plays: the ways a provider fails, acted out on request, for rehearsals and tests.

A script is a list of rules, tried in order at every request; the first that fits plays. Which play a request
gets depends only on the script and on the requests before it. How a play looks on the wire is `app`'s.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=3600)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(_Closed):
    """Answers as usual, after `seconds`."""

    kind: Literal["latency"] = "latency"
    seconds: Seconds


class RateLimit(_Closed):
    """429 rate_limit_error; `retry_after` in seconds goes into the header of that name."""

    kind: Literal["rate_limit"] = "rate_limit"
    retry_after: Seconds | None = None


class Overloaded(_Closed):
    """529 overloaded_error."""

    kind: Literal["overloaded"] = "overloaded"


class Error(_Closed):
    """Any other error by its status, 400 to 599."""

    kind: Literal["error"] = "error"
    status: int = Field(ge=400, le=599)


class Hang(_Closed):
    """Says nothing for `seconds`, then does as `Disconnect`."""

    kind: Literal["hang"] = "hang"
    seconds: Seconds


class Truncate(_Closed):
    """Half of the answer's text, stop_reason max_tokens."""

    kind: Literal["truncate"] = "truncate"


class Malformed(_Closed):
    """Prose where JSON was asked for."""

    kind: Literal["malformed"] = "malformed"


class Nonsense(_Closed):
    """JSON of the right shape with empty strings and numbers out of every range."""

    kind: Literal["nonsense"] = "nonsense"


class Slip(_Closed):
    """The usual answer with `words` before its first text: a model that lets something slip."""

    kind: Literal["slip"] = "slip"
    words: str


class Refusal(_Closed):
    """An empty answer, stop_reason refusal."""

    kind: Literal["refusal"] = "refusal"


class Disconnect(_Closed):
    """Half of the response's body, then the connection is closed."""

    kind: Literal["disconnect"] = "disconnect"


Play = Annotated[
    Latency
    | RateLimit
    | Overloaded
    | Error
    | Hang
    | Truncate
    | Malformed
    | Nonsense
    | Slip
    | Refusal
    | Disconnect,
    Field(discriminator="kind"),
]


class Match(_Closed):
    """Which requests a rule is for: all conditions that are given must hold.

    `schema` is the title of the output schema ("none": requests without one), `contains` text anywhere in
    the system prompt or messages, `nth` the one request (1-based) among those that fit, or every one.
    """

    schema_title: str | None = Field(None, alias="schema")
    contains: str | None = None
    nth: Annotated[int, Field(ge=1)] | Literal["every"] = "every"


class Rule(_Closed):
    """A match and its play; `times` limits how often it plays, None for no limit."""

    match: Match = Match()
    play: Play
    times: Annotated[int, Field(ge=1)] | None = None


class Script:
    """The rules in force, with how often each matched and played."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: list[Rule] = []
        self._matched: list[int] = []
        self._played: list[int] = []
        self.replace(rules)

    def replace(self, rules: Iterable[Rule]) -> None:
        """Other rules from the next request on; counting starts again."""
        self._rules = list(rules)
        self._matched = [0] * len(self._rules)
        self._played = [0] * len(self._rules)

    def next_play(self, schema: str | None, text: str) -> Play | None:
        """The play for a request, or None; counts the request for every rule it fits up to the one that plays."""
        for index, rule in enumerate(self._rules):
            if _fits(rule.match, schema, text) and self._is_due(index, rule):
                return rule.play
        return None

    def _is_due(self, index: int, rule: Rule) -> bool:
        self._matched[index] += 1
        if rule.match.nth not in ("every", self._matched[index]):
            return False
        if rule.times is not None and self._played[index] >= rule.times:
            return False
        self._played[index] += 1
        return True


def _fits(match: Match, schema: str | None, text: str) -> bool:
    if match.schema_title is not None and match.schema_title != (schema or "none"):
        return False
    return match.contains is None or match.contains in text
