"""One matcher of an EventBridge pattern: whether it holds for a value, and what it wants, in words.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import ipaddress
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Test = Callable[[Any], bool]


class PatternError(ValueError):
    """A pattern that EventBridge would refuse as well; the message says where and what is allowed."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """`holds(value)` for a value that is there and no object or list; `wants` completes "must be ...".

    `when_absent` is what it says of a field that is not there.
    """

    wants: str
    holds: Test
    when_absent: bool = False


def matcher(wanted: object) -> Matcher:
    """The matcher for one entry of a pattern's list; PatternError where there is no such matcher."""
    if not isinstance(wanted, Mapping):
        return Matcher(repr(wanted), _equals(wanted))
    if len(wanted) != 1:
        raise PatternError(f"one operator stands alone in its braces; here are {', '.join(wanted) or 'none'}")
    ((name, given),) = wanted.items()
    if name not in _OPERATORS:
        raise PatternError(f"{name!r} is no operator; known are {', '.join(_OPERATORS)}")
    return _OPERATORS[name](given)


def _equals(wanted: object) -> Test:
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, (int, float)):
        return lambda value: _is_number(value) and value == wanted
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and value == wanted
    raise PatternError(f"{wanted!r} is no text, number, true, false or null")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(name: str, given: object) -> str:
    if not isinstance(given, str) or not given:
        raise PatternError(f"{name} compares with a text")
    return given


def _ignoring_case(given: object) -> tuple[str, bool]:
    """A text, or `{"equals-ignore-case": text}`, and whether case is ignored."""
    if isinstance(given, Mapping) and set(given) == {"equals-ignore-case"}:
        return _text("equals-ignore-case", given["equals-ignore-case"]).casefold(), True
    return _text("this operator", given), False


def _affix(name: str, compare: Callable[[str, str], bool]) -> Callable[[object], Matcher]:
    def made(given: object) -> Matcher:
        text, folds = _ignoring_case(given)

        def holds(value: object) -> bool:
            return isinstance(value, str) and compare(value.casefold() if folds else value, text)

        return Matcher(f"a text that {name} {text!r}{' in any case' if folds else ''}", holds)

    return made


def _any_case(given: object) -> Matcher:
    text = _text("equals-ignore-case", given).casefold()
    return Matcher(f"{text!r} in any case", lambda value: isinstance(value, str) and value.casefold() == text)


def _wildcard(given: object) -> Matcher:
    text = _text("wildcard", given)
    parts = _parts(text)
    if any(not part for part in parts[1:-1]):
        raise PatternError("wildcard takes no two stars in a row")
    return Matcher(f"a text like {text!r}", lambda value: isinstance(value, str) and _is_like(value, parts))


def _parts(text: str) -> list[str]:
    """What stands between the stars; a backslash makes the next character an ordinary one."""
    parts, escaped = [""], False
    for one in text:
        if escaped or one not in {"*", "\\"}:
            parts[-1] += one
            escaped = False
        elif one == "*":
            parts.append("")
        else:
            escaped = True
    return parts


def _is_like(value: str, parts: list[str]) -> bool:
    """Each part after the one before, in one pass: senders choose the text, and it may be long."""
    if len(parts) == 1:
        return value == parts[0]
    first, *between, last = parts
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    at, end = len(first), len(value) - len(last)
    for part in between:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _numeric(given: object) -> Matcher:
    if not isinstance(given, list) or len(given) not in {2, 4}:
        raise PatternError('numeric takes one or two comparisons, as in [">", 0, "<=", 5]')
    pairs = list(zip(given[::2], given[1::2], strict=True))
    for sign, bound in pairs:
        if sign not in _COMPARISONS or not _is_number(bound):
            raise PatternError(f"numeric compares by one of {' '.join(_COMPARISONS)} with a number")
    words = " and ".join(f"{sign} {bound}" for sign, bound in pairs)
    return Matcher(
        f"a number {words}",
        lambda value: _is_number(value) and all(_COMPARISONS[sign](value, bound) for sign, bound in pairs),
    )


def _cidr(given: object) -> Matcher:
    try:
        network = ipaddress.ip_network(_text("cidr", given), strict=False)
    except ValueError as error:
        raise PatternError(f"cidr takes a block of addresses: {error}") from error

    def holds(value: object) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return Matcher(f"an address in {network}", holds)


def _exists(given: object) -> Matcher:
    if not isinstance(given, bool):
        raise PatternError("exists is true or false")
    return Matcher("there" if given else "absent", lambda _value: given, when_absent=not given)


def _anything_but(given: object) -> Matcher:
    """Of values, and of texts that begin, end or look like one of several."""
    refused = given if isinstance(given, list) else [given]
    if isinstance(given, Mapping) and len(given) == 1:
        ((name, texts),) = given.items()
        if name not in _NEGATABLE:
            raise PatternError(f"anything-but takes {', '.join(_NEGATABLE)} or values, not {name!r}")
        refused = [{name: text} for text in (texts if isinstance(texts, list) else [texts])]
    if not refused:
        raise PatternError("anything-but takes at least one value")
    matchers = [matcher(one) for one in refused]
    return Matcher(
        f"anything but {' or '.join(one.wants for one in matchers)}",
        lambda value: not any(one.holds(value) for one in matchers),
    )


_NEGATABLE: Final = ("prefix", "suffix", "equals-ignore-case", "wildcard")
_OPERATORS: Final[dict[str, Callable[[object], Matcher]]] = {
    "prefix": _affix("begins with", str.startswith),
    "suffix": _affix("ends with", str.endswith),
    "equals-ignore-case": _any_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
    "exists": _exists,
}
