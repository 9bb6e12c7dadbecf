"""Making a server's things as they are to be, one by one. What another process has just made is as good."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    VariableUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.schedules import construct_schedule
from prefect.exceptions import ObjectAlreadyExists

from deployments.automations import keep_one, remove
from deployments.pools import PoolError, template_of
from deployments.surface.difference import Difference, Found
from deployments.surface.needs import NeedsMaker
from deployments.surface.shape import interval_of
from deployments.surface.spec import QUEUES, DeploymentSpec, Surface, automation_of, release
from flows.switches import VARIABLE
from flows.watch import VARIABLES, sync_variables
from ledger.engine import close_ledger, open_ledger
from ledger.mirrors import leave_mirror
from tasks.processes import process_name


class Maker:
    """Makes one difference after the other, in their order: triggers need their deployments."""

    def __init__(self, client: PrefectClient, wanted: Surface, found: Found) -> None:
        self._client, self._wanted, self._found = client, wanted, found
        self._needs = NeedsMaker(client, wanted.settings, found)

    async def make(self, difference: Difference) -> None:
        """Make this one; `ObjectAlreadyExists` of another process that makes the same is no error."""
        makers = {
            "pool": self._pool,
            "queue": self._queue,
            "deployment": self._deployment,
            "trigger": self._trigger,
            "variable": self._variable,
        }
        with suppress(ObjectAlreadyExists):
            await makers.get(difference.kind, self._needs.make)(difference)

    async def _pool(self, difference: Difference) -> None:
        kind = self._wanted.settings.pool_type
        if difference.what == "change":
            ((_, there, _),) = difference.values
            raise PoolError(
                f"the pool '{self._wanted.pool}' is of the type '{there}', and a pool's type cannot be changed: set "
                f"PENSTOCK_POOL_TYPE={there}, or delete the pool in Prefect first (its deployments stay)"
            )
        pool = WorkPoolCreate(
            name=self._wanted.pool,
            type=kind,
            description="Penstock's runs, in queues: high, medium, low, maintenance.",
            base_job_template=await template_of(kind),
        )
        await self._client.create_work_pool(pool)

    async def _queue(self, difference: Difference) -> None:
        name, priority = difference.name, QUEUES[difference.name]
        if difference.what == "create":
            await self._client.create_work_queue(name, priority=priority, work_pool_name=self._wanted.pool)
        else:
            await self._client.update_work_queue(self._found.ids["queue", name], priority=priority)

    async def _deployment(self, difference: Difference) -> None:
        spec, key = self._wanted.spec(difference.name), ("deployment", difference.name)
        if spec is None:
            gone = self._found.ids.pop(key)
            await self._client.delete_resource_owned_automations(f"prefect.deployment.{gone}")
            await self._client.delete_deployment(gone)
        else:
            self._found.ids[key] = await self._deployed(spec)

    async def _deployed(self, spec: DeploymentSpec) -> UUID:
        """What operators have set of it stays: job variables, and schedules that they have switched off."""
        found, options = self._found.deployments.get(spec.full_name), None
        off = {interval_of(one) for one in found.schedules if not one.active} if found else set()
        if spec.collisions is not None:
            options = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(spec.collisions))
        return await self._client.create_deployment(
            flow_id=await self._client.create_flow_from_name(spec.flow),
            name=spec.name,
            version=release(),
            schedules=[
                DeploymentScheduleCreate(
                    schedule=construct_schedule(interval=every), active=active and every not in off
                )
                for every, active in spec.schedules
            ],
            concurrency_limit=spec.limit,
            concurrency_options=options,
            parameters=spec.parameters,
            description=spec.description,
            work_queue_name=spec.queue,
            work_pool_name=self._wanted.pool,
            tags=list(spec.tags),
            entrypoint=spec.entrypoint,
            pull_steps=[],
            parameter_openapi_schema=spec.form,
            job_variables=found.job_variables if found else None,
            enforce_parameter_schema=True,
        )

    async def _trigger(self, difference: Difference) -> None:
        found = self._found.automations.get(difference.name)
        if found is not None:
            # An automation belongs to the deployment that it was made for; that cannot be changed.
            await remove(self._client, found.id)
        if difference.what == "remove":
            return
        spec, trigger = self._wanted.triggers[difference.name]
        automation = automation_of(trigger, self._found.ids["deployment", spec.full_name])
        automation.enabled = found.enabled if found else True
        await self._client.create_automation(automation)
        await keep_one(self._client, difference.name)

    async def _variable(self, difference: Difference) -> None:
        """A Variable shows what is in force, so what it is made with comes from the ledger."""
        if difference.what == "change":
            tags = VariableUpdate(name=difference.name, tags=VARIABLES[difference.name])
            await self._client.update_variable(tags)
            return
        settings = self._wanted.settings
        ledger = await asyncio.to_thread(open_ledger, settings.ledger_url)
        owner = f"deploy {process_name()}"
        try:
            await sync_variables(self._client, ledger, settings, owner, datetime.now(UTC))
            await asyncio.to_thread(leave_mirror, ledger, VARIABLE, owner)
        finally:
            close_ledger(ledger)
