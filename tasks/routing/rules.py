"""The routes: a file that an operator edits, which says of records by their content whether and as what they are taken.

The first route whose pattern a record matches decides. Of what no route matches the mapping decides alone.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from contracts.errors import OperatorError
from contracts.events import Kind, Name, Priority
from tasks.routing.patterns import Miss, compile_pattern
from tasks.sources.rules import Getter, first_of


class RoutesError(OperatorError):
    """The routes' file is wrong; the message names the file, the route and what is allowed."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Paths = tuple[Name, ...]


class RouteFields(_Declared):
    """Where records of a route keep what an event needs, where that is not where the mapping looks."""

    id: Paths = ()
    source: Paths = ()
    time: Paths = ()
    tenant: Paths = ()
    user: Paths = ()
    topic: Paths = ()
    data: Paths = ()


class Route(_Declared):
    """What becomes of the records of a pattern; what it leaves open the record and the mapping say."""

    name: Name
    pattern: dict[str, Any]
    take: bool = True
    type: Kind | None = None
    priority: Priority | None = None
    feature: Name | None = None
    pipeline: Name | None = None
    fields: RouteFields = Field(default_factory=RouteFields)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, declared: dict[str, Any]) -> dict[str, Any]:
        compile_pattern(declared)
        return declared


class Routes(_Declared):
    """Routes in their order; `otherwise` is what becomes of records that are of none: taken, or left."""

    otherwise: Literal["take", "leave"] = "take"
    route: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a router says of a record: whether it is taken, and what of its event is decided; None leaves it open.

    `fields` are those of the event that are read from elsewhere, each with its paths and what follows them.
    """

    route: str | None
    takes: bool
    type: Kind | None = None
    priority: Priority | None = None
    feature: str | None = None
    pipeline: str | None = None
    fields: tuple[tuple[str, Paths, Getter], ...] = ()


class Router:
    """Routes, ready to be asked."""

    def __init__(self, routes: Routes) -> None:
        self.routes = [(route, compile_pattern(route.pattern), _decision(route)) for route in routes.route]
        self._otherwise = Decision(None, routes.otherwise == "take")

    def decide(self, record: Mapping[str, Any]) -> Decision:
        """By the first route that the record is of."""
        for _, pattern, decision in self.routes:
            if pattern.matches(record):
                return decision
        return self._otherwise

    def explain(self, record: Mapping[str, Any]) -> Iterator[tuple[Route, Miss | None]]:
        """Every route up to the one that decides, and why the record is not of it."""
        for route, pattern, _ in self.routes:
            miss = pattern.miss(record)
            yield route, miss
            if miss is None:
                return


def _decision(route: Route) -> Decision:
    fields = ((name, paths) for name, paths in route.fields if paths)
    found = tuple((name, paths, first_of(paths)) for name, paths in fields)
    return Decision(route.name, route.take, route.type, route.priority, route.feature, route.pipeline, found)


EVERYTHING: Final = Router(Routes())
"""Takes everything as the mapping has it."""


def load_routes(path: Path | None) -> Router:
    """The routes in a file, or none where there is no file; RoutesError says what is wrong with it and where."""
    if path is None:
        return EVERYTHING
    try:
        return Router(Routes.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise RoutesError(
            f"the routes {path} cannot be read ({error.strerror}); check PENSTOCK_ROUTES"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RoutesError(f"the routes {path} are not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise RoutesError(f"the routes {path} are wrong at {key}: {first['msg']}") from error
