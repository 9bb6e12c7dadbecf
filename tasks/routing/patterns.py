"""EventBridge event patterns: compiled once, then asked of every record.

All fields of a pattern must match, each by one of its list. `$or` is a list of patterns of which one must match.
A list in a record matches if one of its elements does; fields of objects in a list must match in the same element.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tasks.routing.matchers import Matcher, PatternError, matcher

ALTERNATIVES: Final = "$or"
_SHOWN: Final = 80
FEWEST: Final = 2
"""Alternatives that `$or` takes at least."""


@dataclass(frozen=True, slots=True)
class Miss:
    """The first thing in which a record differs from a pattern."""

    path: str
    wants: str
    found: str

    def __str__(self) -> str:
        """As a part of a sentence."""
        return f"{self.path} is {self.found}, and must be {self.wants}"


Node = Callable[[Any, str], Miss | None]
"""What a part of a pattern says of a value at a path."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `declared` is as it was written."""

    declared: Mapping[str, Any]
    _node: Node

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of this pattern."""
        return self._node(record, "") is None

    def miss(self, record: Mapping[str, Any]) -> Miss | None:
        """None for a record that matches, else the first field that does not."""
        return self._node(record, "")


def compile_pattern(declared: Mapping[str, Any]) -> Pattern:
    """The pattern, ready to be asked. PatternError says what is wrong with it and where."""
    if not declared:
        raise PatternError(
            "an empty pattern matches nothing; name a field, as in source = [{ exists = true }]"
        )
    return Pattern(declared, _fields(declared, ""))


def _fields(declared: Mapping[str, Any], path: str) -> Node:
    nodes = [(name, _node(name, wanted, _below(path, name))) for name, wanted in declared.items()]

    def of_object(value: Mapping[str, Any], at: str) -> Miss | None:
        for name, node in nodes:
            found = value if name == ALTERNATIVES else value.get(name, _ABSENT)
            if (miss := node(found, at if name == ALTERNATIVES else _below(at, name))) is not None:
                return miss
        return None

    def holds(value: Any, at: str) -> Miss | None:  # noqa: ANN401 - any JSON value
        if isinstance(value, list):
            return _best([of_object(one, at) for one in value if isinstance(one, Mapping)], value, at)
        # What is no object has none of its fields: `exists = false` holds for them.
        return of_object(value if isinstance(value, Mapping) else {}, at)

    return holds


def _best(misses: list[Miss | None], value: list[Any], at: str) -> Miss | None:
    """None where one element matches; else why the first does not."""
    if None in misses:
        return None
    return misses[0] if misses else Miss(at, "an object", _shown(value))


def _node(name: str, wanted: object, path: str) -> Node:
    if name == ALTERNATIVES:
        return _one_of(wanted, path)
    if isinstance(wanted, Mapping):
        if not wanted:
            raise PatternError(f"{path}: an empty pattern matches nothing")
        return _fields(wanted, path)
    if isinstance(wanted, list) and wanted:
        return _leaf(wanted, path)
    raise PatternError(f'{path}: give a list of what matches, as in ["{wanted}"], or fields below it')


def _one_of(wanted: object, path: str) -> Node:
    if (
        not isinstance(wanted, list)
        or len(wanted) < FEWEST
        or not all(isinstance(one, Mapping) for one in wanted)
    ):
        raise PatternError(f"{path}: $or takes a list of two patterns or more")
    nodes = [_fields(one, path.removesuffix(ALTERNATIVES).rstrip(".")) for one in wanted]

    def holds(value: Any, at: str) -> Miss | None:  # noqa: ANN401 - any JSON value
        misses = [node(value, at) for node in nodes]
        return None if None in misses else misses[0]

    return holds


def _leaf(wanted: list[object], path: str) -> Node:
    try:
        matchers = [matcher(one) for one in wanted]
    except PatternError as error:
        raise PatternError(f"{path}: {error}") from error
    wants = " or ".join(one.wants for one in matchers)

    def holds(value: Any, at: str) -> Miss | None:  # noqa: ANN401 - any JSON value
        return None if _any_holds(matchers, list(_leaves(value))) else Miss(at, wants, _shown(value))

    return holds


def _any_holds(matchers: list[Matcher], values: list[Any]) -> bool:
    if not values:
        return any(one.when_absent for one in matchers)
    return any(one.holds(value) for one in matchers for value in values)


def _leaves(value: object) -> Iterator[Any]:
    """The values a field has: itself, the elements of its list; an object has none, nor has what is not there."""
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif value is not _ABSENT and not isinstance(value, Mapping):
        yield value


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_ABSENT: Final = object()
