"""Rejections that name a person: messages that could not become events, in whatever way they were written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, or_, select, true

from contracts.events import Rejection
from ledger.sql import among
from ledger.tables import rejections, turns

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SHORT: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_TENANT: Final = re.compile(r'"tenant"\s*:\s*"([^"]*)"')
_DEEPEST: Final = 4
"""An event in a message in an envelope in a queue's body has its quotes escaped four times over."""
_LEAST_WORD: Final = 4
"""A shorter name stands in many a text by chance, and counts only where it is a whole value."""


def delete_rejections(connection: Connection, tenant: str, names: Sequence[str]) -> int:
    """Delete those of the tenant that name the person, and those of no stated tenant that are nobody else's."""
    query = select(rejections.c.id, rejections.c.payload).where(_may_name(names))
    known = connection.execute(select(turns.c.tenant).where(turns.c.tenant != tenant))
    others = known.scalars().all()
    found = [
        row.id
        for row in connection.execute(query)
        if is_theirs(Rejection.model_validate_json(row.payload), tenant, names, others)
    ]
    connection.execute(delete(rejections).where(among(connection, rejections.c.id, found)))
    return len(found)


def _may_name(names: Sequence[str]) -> ColumnElement[bool]:
    """A first look, by the database: the longest plain part of a name stands in a message however it is written.

    Unless its very letters are escaped.
    """
    plain = [max(re.findall(r"[A-Za-z0-9]+", name), key=len, default="") for name in names]
    if not all(plain):
        return true()
    parts = [*plain, "\\u00"]
    return or_(*(rejections.c.payload.contains(part, autoescape=True) for part in parts))


def is_theirs(rejection: Rejection, tenant: str, names: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a rejection is of the tenant and names the person; `others` are the other tenants that are known."""
    read = tuple(readings(f"{rejection.raw}\n{rejection.reason}"))
    return any(_names(one, name) for one in read for name in names) and _is_of(
        rejection, tenant, others, read
    )


def _is_of(rejection: Rejection, tenant: str, others: Iterable[str], read: Sequence[str]) -> bool:
    """Its tenant as it was read, or as the text states it; where neither is, whose name is a value of it decides."""
    stated = {name.strip() for one in read for name in _TENANT.findall(one)} - {""}
    if rejection.tenant:
        stated = {rejection.tenant}
    if stated:
        return tenant in stated
    return any(_has_value(one, tenant) for one in read) or not any(
        _has_value(one, other) for one in read for other in others
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
    if code := escape[1] or escape[2]:
        return chr(int(code, 16))
    return _SHORT.get(escape[3], escape[3])


def _names(text: str, name: str) -> bool:
    """Whether the text has the name as words of its own, as they are or with its quotes doubled, as CSV writes them."""
    if len(name) < _LEAST_WORD:
        return _has_value(text, name)
    written = {name, name.replace('"', '""')}
    return any(
        one in text and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text) is not None for one in written
    )


def _has_value(text: str, name: str) -> bool:
    """Whether the name is a whole value: a quoted string that is no field's name, or a cell between separators."""
    if name not in text:
        return False
    exactly = re.escape(name)
    quoted, cell = rf'"\s*{exactly}\s*"(?!\s*:)', rf"(?:^|[,;|\t])[ ]*{exactly}[ ]*(?:$|[,;|\t\r])"
    return re.search(rf"{quoted}|{cell}", text, re.MULTILINE) is not None
