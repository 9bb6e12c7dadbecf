"""The mapper of an installation, as its settings have it."""

from tasks.routing.rules import load_routes
from tasks.settings import Settings
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping


def mapper_of(settings: Settings) -> Mapper:
    """By the operator's mapping and routes. Raises MappingError and RoutesError."""
    return Mapper(load_mapping(settings.mapping), load_routes(settings.routes))
