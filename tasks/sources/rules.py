"""The mapping's paths and rules, compiled once into functions: they run for every event."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from tasks.sources.mapping import Rule

Record = Mapping[str, Any]
Getter = Callable[[Record], Any]
Test = Callable[[Any], bool]

_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def getter(path: str) -> Getter:
    """A function that follows a dotted path; it gives None where the path leads nowhere."""
    first, *rest = path.split(".")
    if not rest:
        return lambda record: record.get(first)
    if len(rest) == 1 and not rest[0].isdecimal():
        return _member(first, rest[0])
    return lambda record: _follow(record, [first, *rest])


def first_of(paths: tuple[str, ...]) -> Getter:
    """A function that gives the first value its paths lead to that is neither null nor an empty text."""
    getters = [getter(path) for path in paths]

    def first(record: Record) -> Any:  # noqa: ANN401, any JSON value
        for get in getters:
            value = get(record)
            if value is not None and value != "":
                return value
        return None

    return first


def condition(rule: Rule) -> Callable[[Record], bool]:
    """Whether the rule holds for a record."""
    test = _test(rule.op, rule.value)
    items_path, every, item_path = rule.field.partition(".*.")
    get = getter(items_path)
    if not every:
        return lambda record: test(get(record))
    get_part = getter(item_path)

    def holds_for_one(record: Record) -> bool:
        items = get(record)
        if not isinstance(items, list):
            return False
        return any(isinstance(item, dict) and test(get_part(item)) for item in items)

    return holds_for_one


def number(value: object) -> float | None:
    """The number that a value is or, as in CSV, is written in; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _member(first: str, second: str) -> Getter:
    """The commonest path, `data.name`, without a loop."""

    def get(record: Record) -> Any:  # noqa: ANN401, any JSON value
        inner = record.get(first)
        return inner.get(second) if isinstance(inner, dict) else None

    return get


def _follow(value: Any, steps: list[str]) -> Any:  # noqa: ANN401, any JSON value
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _test(op: str, wanted: Any) -> Test:  # noqa: ANN401, as declared in the mapping
    if op == "absent":
        return lambda value: value is None
    if op == "exists":
        return lambda value: value is not None
    if op == "in":
        tests = [_equals(one) for one in wanted]
        return lambda value: any(test(value) for test in tests)
    if op in _ORDER:
        return _compares(_ORDER[op], wanted)
    equal = _equals(wanted)
    return equal if op == "eq" else lambda value: value is not None and not equal(value)


def _equals(wanted: Any) -> Test:  # noqa: ANN401, as declared in the mapping
    if isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, (int, float)):
        return lambda value: (number(value) if isinstance(value, (str, bool)) else value) == wanted
    return lambda value: bool(value == wanted)


def _compares(order: Callable[[float, float], bool], wanted: float) -> Test:
    def test(value: object) -> bool:
        read = number(value)
        return read is not None and order(read, wanted)

    return test
