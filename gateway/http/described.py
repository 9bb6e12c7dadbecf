"""The API's description, with the forms of bodies that are read by hand among its components, by their names."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.http.tasks import TaskRequest

REFERENCE: Final = "#/components/schemas/{model}"
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Event",
    "description": "An event, as CloudEvents 1.0 names its parts.",
    "required": ["id", "source", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "description": "A kind that the mapping or a route knows."},
        "time": {"type": "string", "format": "date-time"},
        "tenant": {"type": "string", "description": "Only the key's own; may be left out."},
        "user": {"type": "string"},
        "priority": {"type": "string"},
        "feature": {"type": "string"},
        "topic": {"type": "string"},
        "data": {"type": "object"},
    },
}
_MODELS: Final[tuple[type[BaseModel], ...]] = (TaskRequest,)


def name_of(route: APIRoute) -> str:
    """What an operation is called in clients that are made of the description: `post_events`."""
    return route.name


def description_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        _, forms = models_json_schema([(one, "validation") for one in _MODELS], ref_template=REFERENCE)
        made["components"]["schemas"] |= forms["$defs"] | {"Event": EVENT}
        app.openapi_schema = made
    return app.openapi_schema
