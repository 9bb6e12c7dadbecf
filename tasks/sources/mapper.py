"""From a record to an event, as the mapping declares. Compiled once, then run for every event."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from contracts.events import EVENT_SCHEMA_VERSION, Event, Kind, Priority
from tasks.routing.rules import EVERYTHING, Decision, Router
from tasks.sources.mapping import Fields, KindRules
from tasks.sources.mapping import Mapping as DeclaredMapping
from tasks.sources.records import RecordError, name_of
from tasks.sources.rules import Record, condition, first_of, getter
from tasks.sources.times import parse_time

EXTENSIONS: Final = "_extensions"
_NUL: Final = "\x00"
_TOPIC_CHARACTERS: Final = 256
_SHOWN_CHARACTERS: Final = 80
_NOTHING: Final = (None, "")
FIELDS: Final = tuple(Fields.model_fields)
_AT: Final = {name: at for at, name in enumerate(FIELDS)}
_VERSIONS: Final = {"specversion": "1.0", "schema_version": EVENT_SCHEMA_VERSION}


class Reading(NamedTuple):
    """An event, its priority, feature and topic as its record stated them, and the pipeline that works on it.

    What is stated is None where the mapping or a route decided.
    """

    event: Event
    stated: tuple[object, object, object]
    pipeline: str


class Mapper:
    """Makes events of records by one mapping, and by routes where there are any."""

    def __init__(self, mapping: DeclaredMapping, router: Router = EVERYTHING) -> None:
        self._router = router
        self._default_tenant = mapping.default_tenant
        self._words: dict[str, Priority] = dict(mapping.severity_words)
        self._plans = {kind.value: _Plan(kind, rules) for kind, rules in mapping.kinds.items()}
        self._paths = {name: getattr(mapping.fields, name) for name in FIELDS}
        named = list(self._paths.values())
        self._user = first_of(mapping.fields.user)
        self._names = [paths[0] for paths in named]
        self._others = [(at, first_of(paths)) for at, paths in enumerate(named) if not _is_plain(paths)]
        self._usual = frozenset({*self._names, *_VERSIONS})

    def event(self, record: Record) -> Event:
        """The event a record describes; RecordError with the reason where it describes none."""
        return self.read(record).event

    def read(self, record: Record) -> Reading:
        """The event a record describes, and what it stated itself; RecordError where it describes none."""
        _check_versions(record)
        route = self._router.decide(record)
        if not route.takes:
            raise RecordError(_left(route.route))
        values = list(map(record.get, self._names))
        for at, first in self._others:
            if values[at] is None or values[at] == "":
                values[at] = first(record)
        for name, _, find in route.fields:
            values[_AT[name]] = find(record)
        event_id, source, kind, time, tenant, user, priority, feature, topic, data = values
        plan = self._plan(route.type or kind)
        fields: dict[str, Any] = {
            "id": event_id,
            "source": source,
            "type": plan.kind,
            "time": parse_time(time),
            "tenant": tenant or self._default_tenant,
            "user": user or None,
            "data": self._data(data, record, route),
        }
        # A route's priority stands for words that the mapping does not know, too.
        stated = (
            self._words.get(str(priority).strip().lower()) if route.priority else self._priority(priority)
        )
        fields["priority"] = route.priority or stated or plan.priority(fields)
        fields["feature"] = route.feature or feature or plan.feature
        fields["topic"] = topic or plan.topic(fields)
        pipeline = route.pipeline or plan.pipeline
        return Reading(_validated(fields), (stated, feature or None, topic or None), pipeline)

    def user(self, record: Record) -> str | None:
        """The user whom a record names, be it an event or not."""
        found = self._user(record)
        return found.strip() if isinstance(found, str) else None

    def _plan(self, kind: object) -> "_Plan":
        plan = self._plans.get(kind) if isinstance(kind, str) else None
        if plan is None:
            said = "no type" if kind is None else f"type {_shown(kind)} is not known"
            raise RecordError(f"{said}; known are {', '.join(self._plans)}")
        return plan

    def _priority(self, said: object) -> Priority | None:
        if said is None or said == "":
            return None
        word = str(said).strip().lower()
        if word not in self._words:
            raise RecordError(f"priority {_shown(said)} is not known; add it to the mapping's severity_words")
        return self._words[word]

    def _data(self, said: object, record: Record, route: Decision) -> dict[str, Any]:
        data = _object(said)
        if route.route is None and record.keys() <= self._usual:
            return data or {}
        used = self._used(record, route)
        others = {name: value for name, value in record.items() if name not in used}
        if "data_base64" in others:
            raise RecordError("data_base64 is not read; send the content in data")
        if not others:
            return data or {}
        return others if data is None else {**data, EXTENSIONS: others}

    def _used(self, record: Record, route: Decision) -> set[str]:
        """The record's own fields that went into the event as what they are, and those with nothing in them."""
        used = {*_VERSIONS, *(name for name, value in record.items() if value in _NOTHING)}
        paths = self._paths | {name: ways for name, ways, _ in route.fields}
        for name, ways in paths.items():
            way = next((way for way in ways if getter(way)(record) not in _NOTHING), None)
            # What a route decided otherwise is kept as it was said.
            if way is not None and getattr(route, name, None) is None:
                used.add(way.partition(".")[0])
        return used


def _left(route: str | None) -> str:
    return f"the route {route!r} leaves it" if route else "no route takes it, and the routes leave all others"


def _is_plain(paths: tuple[str, ...]) -> bool:
    return len(paths) == 1 and "." not in paths[0]


def _check_versions(record: Record) -> None:
    for name, known in _VERSIONS.items():
        if name in record and record[name] != known:
            raise RecordError(f"{name} {_shown(record[name])} is not known; this version reads {known!r}")


class _Plan:
    """What the mapping says of one kind, compiled."""

    def __init__(self, kind: Kind, rules: KindRules) -> None:
        self.kind = kind
        self.pipeline = rules.pipeline
        self.feature = rules.feature
        self._topic = first_of(rules.topic)
        self._fallback_topic = rules.fallback_topic
        self._rules: list[tuple[Callable[[Record], bool], Priority]] = [
            (condition(rule), rule.priority) for rule in rules.rules
        ]
        self._priority = rules.priority

    def priority(self, fields: Mapping[str, Any]) -> Priority:
        """That of the first rule that holds."""
        for holds, priority in self._rules:
            if holds(fields):
                return priority
        return self._priority

    def topic(self, fields: Mapping[str, Any]) -> str:
        """What the event is about, cut at 256 characters."""
        found = self._topic(fields)
        words = str(found).strip() if isinstance(found, (str, int, float)) else ""
        return words[:_TOPIC_CHARACTERS] or self._fallback_topic


def _object(data: object) -> dict[str, Any] | None:
    """Data as an object: CloudEvents and CSV also carry it as text, which may be JSON."""
    if data is None or isinstance(data, dict):
        return data
    if not isinstance(data, str):
        raise RecordError(f"data is {name_of(data)}; it must be an object or a text")
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"text": data}


def _validated(fields: dict[str, Any]) -> Event:
    try:
        event = Event.model_validate(fields)
    except ValidationError as error:
        raise RecordError(_reason(error)) from None
    names = (event.id, event.source, event.tenant, event.user or "", event.feature, event.topic)
    if _NUL in "".join(names):
        # PostgreSQL keeps none in a text, and in a name it could make two events' keys one.
        raise RecordError("a name (id, source, tenant, user, feature or topic) holds a NUL character")
    return event


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if first["input"] is not None:
        return f"{name}: {first['msg']}; it is {_shown(first['input'])}"
    hint = ", or set default_tenant in the mapping" if name == "tenant" else ""
    return f"no {name}: the record must name one{hint}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
