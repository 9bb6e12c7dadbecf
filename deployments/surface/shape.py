"""What is compared: things by kind and name, each with the values that matter, as it is to be and as it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from prefect.client.schemas.objects import DeploymentSchedule, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

from deployments.surface.spec import QUEUES, DeploymentSpec, Surface, automation_of, release

Shape = dict[str, Any]
_TO_BE: Final = UUID(int=0)
"""In the place of the id of a deployment that is to be."""
Key = tuple[str, str]
"""A kind, such as `deployment`, and a name."""


@dataclass(frozen=True)
class Difference:
    """What is to be done to one thing, and for a change which of its values, from what to what."""

    kind: str
    name: str
    what: Literal["create", "change", "remove"]
    values: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def is_missing(self) -> bool:
        """Something is not there: the thing itself, or the deployment that a trigger starts."""
        return self.what == "create" or any(name == "starts" for name, _, _ in self.values)


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


def shapes_of(surface: Surface) -> dict[Key, Shape]:
    """All that there is to be, in the order in which it is made. Of limits it is only that they exist."""
    return {
        ("pool", surface.pool): {"type": surface.pool_type},
        **{("queue", name): {"priority": rank} for name, rank in QUEUES.items()},
        **{("deployment", spec.full_name): shape_of_spec(spec) for spec in surface.specs},
        **{
            ("trigger", name): shape_of_automation(automation_of(trigger, _TO_BE), {_TO_BE: spec.full_name})
            for name, (spec, trigger) in surface.triggers.items()
        },
        **{("limit", cap.name): {} for cap in surface.caps},
    }


def shape_of_spec(spec: DeploymentSpec) -> Shape:
    """A deployment as it is to be."""
    return {
        "entrypoint": spec.entrypoint,
        "pull": [],
        "description": spec.description,
        "tags": sorted(spec.tags),
        "version": release(),
        "parameters": spec.parameters,
        "queue": spec.queue,
        "limit": spec.limit,
        "collisions": spec.collisions,
        "schedules": sorted([every, active] for every, active in spec.schedules),
        "form": _form(spec.form),
    }


def shape_of_deployment(found: DeploymentResponse) -> Shape:
    """A deployment as the server has it."""
    limit, options = found.global_concurrency_limit, found.concurrency_options
    return {
        "entrypoint": found.entrypoint,
        "pull": found.pull_steps or [],
        "description": found.description,
        "tags": sorted(found.tags),
        "version": found.version,
        "parameters": found.parameters,
        "queue": found.work_queue_name,
        "limit": limit.limit if limit else None,
        "collisions": options.collision_strategy.value if limit and options else None,
        "schedules": sorted(map(_schedule, found.schedules)),
        "form": _form(found.parameter_openapi_schema or {}),
    }


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    """A form's schema; Prefect's own tool leaves out definitions where there are none."""
    return {name: value for name, value in schema.items() if name != "definitions" or value}


def _schedule(found: DeploymentSchedule) -> list[Any]:
    schedule = found.schedule
    every = schedule.interval.total_seconds() if isinstance(schedule, IntervalSchedule) else str(schedule)
    return [every, found.active]


def shape_of_queue(queue: WorkQueue) -> Shape:
    """A queue as the server has it."""
    return {"priority": queue.priority}


def shape_of_automation(automation: Automation | AutomationCore, deployments: Mapping[UUID, str]) -> Shape:
    """An automation as it is to be, or as the server has it; `deployments` are those that there are, by id.

    One that was removed and made anew has another id: an automation that starts the old one starts nothing.
    """
    trigger = automation.trigger
    assert isinstance(trigger, EventTrigger)  # noqa: S101 - ours are
    return {
        "description": automation.description,
        "enabled": automation.enabled,
        "expects": sorted(trigger.expect),
        "match": trigger.model_dump(mode="json")["match"],
        "threshold": trigger.threshold,
        "within_s": trigger.within.total_seconds(),
        "does": sorted(action.type for action in automation.actions),
        "starts": sorted(
            deployments.get(action.deployment_id, "a deployment that is gone")
            for action in automation.actions
            if isinstance(action, RunDeployment) and action.deployment_id is not None
        ),
    }
