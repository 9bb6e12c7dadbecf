"""Foreign code, safely: what a failure brings along may itself fail.

An exception's `__str__`, attributes and metaclass are somebody else's code and may raise anything.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from tasks.diagnosis.redact import redact

_T = TypeVar("_T")

_READ_CHARS: Final = 100_000
_SEAM_CHARS: Final = 4_096
CUT: Final = "\n[... cut ...]\n"


def shielded(make: Callable[[], _T], fallback: _T) -> _T:
    """`make()`, or `fallback` if it raises anything at all.

    Also SystemExit and KeyboardInterrupt, which a broken `__str__` may raise. `make` is synchronous and
    short, and under asyncio Ctrl-C and cancellation arrive at an `await`: no order to stop is lost here.
    """
    try:
        return make()
    except BaseException:  # noqa: BLE001 - the one place that must hold against everything
        return fallback


def safe_text(value: object, secrets: tuple[str, ...], limit: int) -> str:
    """`str(value)` redacted and cut to `limit` characters; its type where it has no text."""
    unreadable = f"<{type_name(value)} whose text cannot be read>"
    return shielded(lambda: bounded(str(value), secrets, limit), unreadable)


def type_name(value: object) -> str:
    """The name of a value's type, without its module for builtins."""
    return shielded(lambda: redact(type.__dict__["__name__"].__get__(type(value)))[:200], "object")


def bounded(text: str, secrets: tuple[str, ...], limit: int) -> str:
    """`text` redacted, then cut to `limit` characters, so that no secret is cut in half and kept.

    Of a very long text only the beginning is read, and what stands at that seam is dropped.
    """
    clean = redact(text[:_READ_CHARS], secrets)
    if len(text) > _READ_CHARS:
        clean = clean[:-_SEAM_CHARS] + CUT
    return shortened(clean, limit)


def shortened(clean: str, limit: int) -> str:
    """Redacted text cut in its middle to at most `limit` characters: the ends of a trace tell most."""
    if len(clean) <= limit:
        return clean
    room = max(limit - len(CUT), 0)
    head = room // 2
    return (clean[:head] + CUT + clean[len(clean) - (room - head) :])[:limit]
