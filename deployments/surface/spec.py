"""`prefect.yaml` as values: each deployment with its flow's name and form."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from flows.names import POOL_LABEL, TAG, USUAL_POOL, in_pool
from tasks.model.caps import Cap
from tasks.settings import Settings

QUEUES: Final = {"high": 1, "medium": 2, "low": 3, "maintenance": 4}
"""The queues of the pool by their priority: the runs of a lower number go first."""


@dataclass(frozen=True)
class DeploymentSpec:
    """A deployment as it is to be. `schedules` are intervals in seconds, with whether they are active."""

    name: str
    flow: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    parameters: dict[str, Any]
    queue: str
    limit: int | None
    collisions: str | None
    schedules: tuple[tuple[float, bool], ...]
    form: dict[str, Any]
    triggers: tuple[DeploymentEventTrigger, ...] = field(default=(), hash=False)

    @property
    def full_name(self) -> str:
        """As Prefect names it: `flow/deployment`."""
        return f"{self.flow}/{self.name}"


def prefect_yaml() -> Path:
    """The file: beside the packages in a checkout, within them where Penstock is installed."""
    here = Path(__file__).resolve()
    in_checkout = here.parents[2] / "prefect.yaml"
    return in_checkout if in_checkout.is_file() else here.parents[1] / "prefect.yaml"


def release() -> str:
    """The version that deployments carry."""
    return version("penstock")


def read_specs(pool: str = USUAL_POOL) -> tuple[DeploymentSpec, ...]:
    """Every deployment of the file, by their names in Prefect, as they are in this pool."""
    entries = yaml.safe_load(prefect_yaml().read_text())["deployments"]
    return tuple(sorted((_spec(entry, pool) for entry in entries), key=lambda spec: spec.full_name))


def _spec(entry: dict[str, Any], pool: str) -> DeploymentSpec:
    flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"])
    limit = entry.get("concurrency_limit") or {}
    return DeploymentSpec(
        name=in_pool(entry["name"], pool),
        flow=flow.name,
        entrypoint=entry["entrypoint"],
        description=entry["description"],
        tags=tuple(entry["tags"]),
        parameters=entry.get("parameters", {}),
        queue=entry["work_pool"]["work_queue_name"],
        limit=limit.get("limit"),
        collisions=limit.get("collision_strategy"),
        schedules=tuple(_schedules(entry)),
        form=parameter_schema(flow).model_dump_for_openapi(),
        triggers=tuple(_trigger(one, pool) for one in entry.get("triggers", ())),
    )


def _trigger(entry: dict[str, Any], pool: str) -> DeploymentEventTrigger:
    ours = {"name": in_pool(entry["name"], pool), "match": entry["match"] | {POOL_LABEL: pool}}
    return DeploymentEventTrigger.model_validate(entry | ours)


def _schedules(entry: dict[str, Any]) -> Iterator[tuple[float, bool]]:
    for schedule in entry.get("schedules", ()):
        yield float(schedule["interval"]), schedule["active"]


@dataclass(frozen=True)
class Surface:
    """What there is to be: deployments with their triggers, and what follows from an installation's settings."""

    specs: tuple[DeploymentSpec, ...]
    settings: Settings

    @property
    def caps(self) -> tuple[Cap, ...]:
        """What the limits hold down."""
        return self.settings.caps

    @property
    def pool(self) -> str:
        """The name of the work pool."""
        return self.settings.pool

    @property
    def triggers(self) -> dict[str, tuple[DeploymentSpec, DeploymentEventTrigger]]:
        """Each trigger by its name, with the deployment that it starts."""
        return {str(one.name): (spec, one) for spec in self.specs for one in spec.triggers}

    def spec(self, full_name: str) -> DeploymentSpec | None:
        """The deployment of this name; None where there is to be none."""
        return next((spec for spec in self.specs if spec.full_name == full_name), None)


def automation_of(trigger: DeploymentEventTrigger, deployment: UUID) -> AutomationCore:
    """The automation that starts the deployment by the trigger."""
    copy = trigger.model_copy()
    copy.set_deployment_id(deployment)
    return copy.as_automation().model_copy(update={"tags": [TAG]})


def surface_of(settings: Settings) -> Surface:
    """What a server is to show with these settings."""
    return Surface(read_specs(settings.pool), settings)
