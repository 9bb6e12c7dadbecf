"""Rejections that name a person: messages that could not become events, in whatever way they were written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, delete, or_, select

from contracts.events import Rejection
from ledger.sql import among
from ledger.tables import events, rejections

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_TENANT: Final = re.compile(r'"tenant"\s*:\s*"([^"]*)"')
_DEEPEST: Final = 4
"""An event in a message in an envelope in a queue's body has its quotes escaped four times over."""


def delete_rejections(connection: Connection, tenant: str, names: Sequence[str]) -> int:
    """Delete those of the tenant that name the person, and those of no stated tenant that are nobody else's."""
    query = select(rejections.c.id, rejections.c.payload)
    # The longest plain part of a name stands in a message however its other characters are written.
    plain = [max(re.findall(r"[A-Za-z0-9]+", name), key=len, default="") for name in names]
    if all(plain):
        query = query.where(or_(*(rejections.c.payload.contains(part, autoescape=True) for part in plain)))
    others = (
        connection.execute(select(events.c.tenant).where(events.c.tenant != tenant).distinct())
        .scalars()
        .all()
    )
    found = [
        row.id
        for row in connection.execute(query)
        if is_theirs(Rejection.model_validate_json(row.payload), tenant, names, others)
    ]
    connection.execute(delete(rejections).where(among(connection, rejections.c.id, found)))
    return len(found)


def is_theirs(rejection: Rejection, tenant: str, names: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a rejection is of the tenant and names the person; `others` are the other tenants that are known."""
    read = tuple(readings(f"{rejection.raw}\n{rejection.reason}"))
    return any(_says(one, name) for one in read for name in names) and _is_of(rejection, tenant, others, read)


def _is_of(rejection: Rejection, tenant: str, others: Iterable[str], read: Sequence[str]) -> bool:
    """Its tenant as it was read, or as the text states it; where neither is, whose name stands in it decides."""
    stated = (
        {rejection.tenant} if rejection.tenant else {name for one in read for name in _TENANT.findall(one)}
    )
    if stated:
        return tenant in stated
    return any(_says(one, tenant) for one in read) or not any(
        _says(one, other) for one in read for other in others
    )


def readings(text: str) -> Iterator[str]:
    """The text as it is, and with the escapes of JSON resolved once, twice, as long as that changes it."""
    for _ in range(_DEEPEST + 1):
        yield text
        resolved = _ESCAPE.sub(_resolved, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if resolved == text:
            return
        text = resolved


def _resolved(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else _SHORT.get(escape[2], escape[2])


def _says(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
