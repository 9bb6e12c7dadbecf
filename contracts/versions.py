"""Versions of what is stored and sent: each payload carries its own, and this version of Penstock reads the last.

A new version of a kind is a new number here and the upgrade from the one before, a pure function of the payload.
Anything else, older or newer, is refused by name, and stays where it is.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.errors import OperatorError

Payload = Any
Upgrade = Callable[[Payload], Payload]


class UnknownVersionError(OperatorError):
    """A payload is of a version that this Penstock does not read."""

    def __init__(self, kind: str, version: str) -> None:
        readable = " and ".join(sorted({CURRENT[kind], *(old for what, old in UPGRADES if what == kind)}))
        super().__init__(
            f"{kind} of schema version {version!r}: this Penstock reads {readable}; it has been left as it was, "
            "run the version that wrote it"
        )


def _letter_1(payload: Payload) -> Payload:
    """Version 1 held the ids of the batch's events; version 2 holds the events themselves."""
    return {"events": [{"id": one} for one in payload]}


CURRENT: Final[Mapping[str, str]] = {
    "event": "1",
    "rejection": "1",
    "item": "1",
    "deliverable": "1",
    "evidence": "1",
    "dead letter": "2",
    "attachment": "1",
}
"""The version of each kind that is written."""

UPGRADES: Final[Mapping[tuple[str, str], Upgrade]] = {("dead letter", "1"): _letter_1}
"""From which earlier version of a kind, and how."""


def upgraded(kind: str, version: str, payload: Payload) -> Payload:
    """The payload in the current form of its kind; UnknownVersionError for a version that is not read."""
    if version == CURRENT[kind]:
        return payload
    if (kind, version) in UPGRADES:
        return UPGRADES[kind, version](payload)
    raise UnknownVersionError(kind, version)


def as_written(text: str) -> Payload:
    """What a stored payload says, of whatever version; the text itself where that is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def upgraded_json(kind: str, version: str, text: str) -> str:
    """As `upgraded`, from JSON text to JSON text; what is current is not even parsed."""
    return text if version == CURRENT[kind] else json.dumps(upgraded(kind, version, json.loads(text)))
