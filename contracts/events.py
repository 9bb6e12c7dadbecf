"""Events: immutable facts in a CloudEvents 1.0 envelope (https://github.com/cloudevents/spec, v1.0.2)."""

from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AfterValidator, StringConstraints

from contracts.base import Contract

EVENT_SCHEMA_VERSION: Final = "1"

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def who(name: str) -> str:
    """The name of a tenant or of a user without blanks around it, ValueError where nothing else is there.

    They are no part of it: what an operator types and what a sender writes is the same one.
    """
    if not (trimmed := name.strip()):
        raise ValueError("it is blank")
    return trimmed


Who = Annotated[Name, AfterValidator(who)]
"""The name of a tenant or of a user."""


class Priority(StrEnum):
    """How urgent an event is; also the level of a batch."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"

    @property
    def rank(self) -> int:
        """3 for HIGH, 2 for MEDIUM, 1 for LOW: larger is more urgent."""
        return _RANKS[self]

    @classmethod
    def from_rank(cls, rank: int) -> "Priority":
        """The priority whose `rank` is given; ValueError for any other number."""
        for priority, known in _RANKS.items():
            if known == rank:
                return priority
        raise ValueError(f"no priority has rank {rank}; ranks are 1 to 3")


_RANKS = {Priority.HIGH: 3, Priority.MEDIUM: 2, Priority.LOW: 1}


class Kind(StrEnum):
    """The CloudEvents `type`: what happened."""

    FEEDBACK = "feedback.submitted"
    TRANSCRIPT = "support.transcript"
    SURVEY = "survey.response"
    ALERT = "system.alert"
    DOCUMENT = "document.received"


class Event(Contract):
    """One fact from one tenant.

    `user` and `time` (when it happened, UTC) may be unknown. `feature` is where in the tenant's product the
    event came from and is what its cost is booked to. `topic` is what it is about, in the source's own words
    where it has any; trends are counted by it. `data` is the original content.
    """

    specversion: Literal["1.0"] = "1.0"
    schema_version: Literal["1"] = EVENT_SCHEMA_VERSION
    id: Name
    source: Name
    type: Kind
    time: datetime | None = None
    tenant: Who
    user: Who | None = None
    priority: Priority
    feature: Name
    topic: Name
    data: dict[str, Any]


_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def event_key(tenant: str, source: str, event_id: str) -> bytes:
    """The identity of an event, 16 bytes: the same (tenant, source, id) twice is one event."""
    return blake2b(f"{tenant}\x00{source}\x00{event_id}".encode(), digest_size=16).digest()


def content_hash(event: Event, stated: tuple[object, ...] = ()) -> bytes:
    """16 bytes over everything that was said, in canonical JSON: tells a duplicate from a conflict.

    `stated` is what the source itself said of priority, feature and topic. What a mapping decided of them is no
    part of it: the same event is a duplicate after the mapping was edited, too.
    """
    said = (event.type, event.time, event.user, event.data, *stated)
    text = orjson.dumps(said, option=_CANONICAL)
    return blake2b(text, digest_size=16).digest()


class Rejection(Contract):
    """A raw message that could not become an event; kept so that nothing is lost.

    `origin` is the file or queue, `line` its 1-based position (a record number where the format
    has no lines), `reason` one sentence, `raw` the text as it came (cut at the intake's size limit).
    """

    schema_version: Literal["1"] = "1"
    origin: str
    line: int
    reason: str
    raw: str
    tenant: str | None = None
