"""The values that matter of each thing that a server shows, as it is to be and as it is."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from prefect.client.schemas.objects import DeploymentSchedule, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

from deployments.surface.difference import Key, Shape
from deployments.surface.needs import shapes_of_needs
from deployments.surface.spec import QUEUES, DeploymentSpec, Surface, automation_of, release
from flows.watch import VARIABLES

_TO_BE: Final = UUID(int=0)
"""In the place of the id of a deployment that is to be."""


def shapes_of(surface: Surface) -> dict[Key, Shape]:
    """All that there is to be, in the order in which it is made.

    Of limits, and of what operators are told, it is only that they exist, and that somebody is told: all else in them
    is the operators', and so is whether a schedule or a trigger is switched off.
    """
    return {
        ("pool", surface.pool): {"type": surface.settings.pool_type},
        **{("queue", name): {"priority": rank} for name, rank in QUEUES.items()},
        **{("deployment", spec.full_name): shape_of_spec(spec) for spec in surface.specs},
        **{
            ("trigger", name): shape_of_automation(automation_of(trigger, _TO_BE), {_TO_BE: spec.full_name})
            for name, (spec, trigger) in surface.triggers.items()
        },
        **shapes_of_needs(surface.settings),
        **{("variable", name): {"tags": sorted(tags)} for name, tags in VARIABLES.items()},
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
        "schedules": sorted(every for every, _ in spec.schedules),
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
        "schedules": sorted(map(interval_of, found.schedules), key=str),
        "form": _form(found.parameter_openapi_schema or {}),
    }


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    """A form's schema; Prefect's own tool leaves out definitions where there are none."""
    return {name: value for name, value in schema.items() if name != "definitions" or value}


def interval_of(found: DeploymentSchedule) -> float | str:
    """Seconds; of a schedule that is no interval, and none of ours, what it is. Whether it runs is an operator's."""
    schedule = found.schedule
    return schedule.interval.total_seconds() if isinstance(schedule, IntervalSchedule) else str(schedule)


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
