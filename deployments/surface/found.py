"""What a Prefect server has of Penstock's things: by the pool's name, the tag, the names of triggers and limits."""

from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.events.actions import RunDeployment
from prefect.events.filters import AutomationFilter, AutomationFilterTags
from prefect.events.schemas.automations import Automation, EventTrigger
from prefect.exceptions import ObjectNotFound

from deployments.automations import automations_named
from deployments.pages import pages
from deployments.surface.difference import Found
from deployments.surface.needs import read_needs
from deployments.surface.shape import shape_of_automation, shape_of_deployment, shape_of_queue
from deployments.surface.spec import QUEUES, Surface
from flows.names import POOL_LABEL, TAG
from flows.watch import VARIABLES


async def read_found(client: PrefectClient, wanted: Surface) -> Found:
    """Look at all of it. What an operator has made beside it is not looked at."""
    found = Found()
    await _read_pool(client, wanted.pool, found)
    await _read_deployments(client, wanted.pool, found)
    await _read_triggers(client, wanted, found)
    await read_needs(client, wanted.settings, found)
    for name in VARIABLES:
        if (variable := await client.read_variable_by_name(name)) is not None:
            found.shapes["variable", name] = {"tags": sorted(variable.tags)}
    return found


async def _read_triggers(client: PrefectClient, wanted: Surface, found: Found) -> None:
    """Those that are to be, by name; and of those that we made once, what starts something in our pool."""
    ours = AutomationFilter(tags=AutomationFilterTags(all_=[TAG]))
    made = {
        one.name
        async for one in pages(client.read_automations, automations=ours)
        if _starts_in(wanted.pool, one)
    }
    deployments = {id_: name for (kind, name), id_ in found.ids.items() if kind == "deployment"}
    for name in [*wanted.triggers, *sorted(made - wanted.triggers.keys())]:
        for automation in (await automations_named(client, name))[:1]:
            found.shapes["trigger", name] = shape_of_automation(automation, deployments)
            found.automations[name] = automation


def _starts_in(pool: str, automation: Automation) -> bool:
    starts = any(isinstance(action, RunDeployment) for action in automation.actions)
    trigger = automation.trigger
    return starts and isinstance(trigger, EventTrigger) and trigger.match.get(POOL_LABEL) == [pool]


async def _read_pool(client: PrefectClient, name: str, found: Found) -> None:
    try:
        pool = await client.read_work_pool(name)
    except ObjectNotFound:
        return
    found.shapes["pool", name] = {"type": pool.type}
    for queue in await client.read_work_queues(work_pool_name=name):
        if queue.name in QUEUES:
            found.shapes["queue", queue.name] = shape_of_queue(queue)
            found.ids["queue", queue.name] = queue.id


async def _read_deployments(client: PrefectClient, pool: str, found: Found) -> None:
    flows: dict[UUID, str] = {}
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    async for deployment in pages(client.read_deployments, deployment_filter=tagged):
        if deployment.work_pool_name != pool:
            continue  # Another installation's.
        if deployment.flow_id not in flows:
            flows[deployment.flow_id] = (await client.read_flow(deployment.flow_id)).name
        name = f"{flows[deployment.flow_id]}/{deployment.name}"
        found.shapes["deployment", name] = shape_of_deployment(deployment)
        found.ids["deployment", name] = deployment.id
        found.deployments[name] = deployment
