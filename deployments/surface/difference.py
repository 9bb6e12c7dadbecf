"""What is compared: things by kind and name, each with the values that matter, as it is to be and as it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.schemas.automations import Automation

Shape = dict[str, Any]
Key = tuple[str, str]
"""A kind, such as `deployment`, and a name."""


@dataclass
class Found:
    """What there is, and under which ids; of what operators may change, all that there is of it."""

    shapes: dict[Key, Shape] = field(default_factory=dict)
    ids: dict[Key, UUID] = field(default_factory=dict)
    automations: dict[str, Automation] = field(default_factory=dict)
    deployments: dict[str, DeploymentResponse] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """What is to be done to one thing, and for a change which of its values, from what to what."""

    kind: str
    name: str
    what: Literal["create", "change", "remove"]
    values: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def is_missing(self) -> bool:
        """Something is not there: the thing itself, the deployment that a trigger starts, who an alert tells, where."""
        return self.what == "create" or any(
            name in ("starts", "tells", "calls") for name, _, _ in self.values
        )


def differences(wanted: Mapping[Key, Shape], found: Mapping[Key, Shape]) -> tuple[Difference, ...]:
    """What makes `found` into `wanted`, in an order in which it can be done; nothing where they are the same."""
    return (
        *(Difference(*key, "create") for key in wanted if key not in found),
        *_changes(wanted, found),
        *(Difference(*key, "remove") for key in found if key not in wanted),
    )


def _changes(wanted: Mapping[Key, Shape], found: Mapping[Key, Shape]) -> Iterable[Difference]:
    for key, shape in wanted.items():
        there = found.get(key, shape)
        values = tuple(
            (name, there.get(name), value) for name, value in shape.items() if there.get(name) != value
        )
        if values:
            yield Difference(*key, "change", values)
