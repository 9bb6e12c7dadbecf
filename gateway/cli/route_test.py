"""`route test`: which route decides about an event, why the others do not, and what the event would be."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from contracts.events import Rejection
from gateway.cli.output import out, print_json, print_pairs, print_table
from ledger.intake import PreparedEvent
from tasks.redaction.start import redactor_of
from tasks.routing.rules import Router, load_routes
from tasks.settings import Settings, load_settings
from tasks.sources.aws.envelopes import Claim, Created, Nothing, opened
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping
from tasks.sources.prepare import outcome_of
from tasks.sources.read import STDIN, SourceError
from tasks.sources.records import RawRecord


@dataclass(frozen=True)
class Explained:
    """What becomes of one thing that a message carries."""

    routes: list[dict[str, str]]
    outcome: dict[str, Any]


def run_route_test(event: str, *, as_json: bool) -> None:
    """Open the message in a file or on standard input, and explain all that it carries; nothing is taken in."""
    settings = load_settings()
    explained = list(explain(_read(event), settings))
    if as_json:
        print_json([asdict(one) for one in explained])
        return
    for one in explained:
        if one.routes:
            rows = [(route["route"], route["decides"], route["because"]) for route in one.routes]
            print_table("Routes, in order", ("route", "decides", "because"), rows)
        print_pairs(
            "What becomes of it",
            {name: "-" if said is None else str(said) for name, said in one.outcome.items()},
        )
        out.print()


def explain(message: bytes, settings: Settings) -> list[Explained]:
    """One explanation for each thing in the message."""
    router = load_routes(settings.routes)
    mapper, redactor = Mapper(load_mapping(settings.mapping), router), redactor_of(settings)
    explained = []
    for content in opened(message, {}):
        match content:
            case RawRecord():
                outcome = outcome_of(content, "route test", mapper, redactor)
                explained.append(Explained(_routes(router, content), _told(outcome)))
            case Created(place):
                explained.append(Explained([], {"outcome": "an object is read", "object": str(place)}))
            case Claim(place):
                explained.append(Explained([], {"outcome": "the rest is fetched", "object": str(place)}))
            case Nothing(why):
                explained.append(Explained([], {"outcome": "nothing to take in", "reason": why}))
    return explained


def _read(event: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if event == STDIN else Path(event).read_bytes()
    except OSError as error:
        raise SourceError(
            f"{event} cannot be read ({error.strerror}); give a file with one event, or -"
        ) from error


def _routes(router: Router, record: RawRecord) -> list[dict[str, str]]:
    if record.value is None:
        return []
    return [
        {
            "route": route.name,
            "decides": "no" if miss else "yes",
            "because": str(miss) if miss else "all of its pattern matches",
        }
        for route, miss in router.explain(record.value)
    ]


def _told(outcome: PreparedEvent | Rejection) -> dict[str, Any]:
    if isinstance(outcome, Rejection):
        return {"outcome": "rejected", "reason": outcome.reason}
    event = orjson.loads(outcome.payload)
    names = ("id", "source", "type", "tenant", "user", "priority", "feature", "topic", "time")
    return {"outcome": "taken", **{name: event[name] for name in names}, "pipeline": outcome.pipeline}
