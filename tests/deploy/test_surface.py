"""What a Prefect server shows of Penstock: as the file says, made once, changed where it differs, and nothing else."""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr

from deployments.automations import ALERTS, BLOCK
from deployments.deploy import deploy, planned
from deployments.pages import pages
from deployments.pools import PoolError
from deployments.surface.difference import Difference, differences
from deployments.surface.shape import shapes_of
from deployments.surface.spec import QUEUES, prefect_yaml, read_specs, release, surface_of
from flows import switches
from flows.names import POOL_LABEL, TAG, USUAL_POOL
from flows.watch import VARIABLES
from ledger.engine import close_ledger, open_ledger
from ledger.pauses import Switch, pause, read_pauses
from tasks.settings import Settings
from tests.conftest import NOW

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).with_name("surface.json")
HIGH = "process ready batches/high"


@pytest.fixture
def surface(tmp_path, prefect_slots):
    """What there is to be with the usual settings, on a server whose limit exists."""
    assert prefect_slots
    return surface_of(Settings(home=tmp_path))


@pytest.fixture
def deployed(surface, run_async):
    """The surface, on the server."""
    run_async(deploy(surface))
    return surface


def told(found):
    """Differences by kind and name."""
    return {(one.kind, one.name, one.what) for one in found}


def test_the_surface_is_what_the_snapshot_says(surface):
    """Whoever changes a deployment changes the snapshot, and sees in it what operators will see.

    `python -m tests.deploy.snapshot` writes it anew.
    """
    shapes = {" ".join(key).strip(): shape for key, shape in shapes_of(surface).items()}
    for shape in shapes.values():
        shape.pop("version", None)
    assert json.loads(json.dumps(shapes)) == json.loads(SNAPSHOT.read_text())


def test_every_flow_has_a_deployment_and_says_what_it_is_for():
    """A flow that nobody can start from the UI does not exist for operators."""
    declared = set()
    for path in (ROOT / "flows").glob("*.py"):
        declared |= {line.split('"')[1] for line in path.read_text().splitlines() if "@flow(name=" in line}
    specs = read_specs()
    assert declared <= {spec.flow for spec in specs}
    for spec in specs:
        assert spec.description.endswith(".")
        assert TAG in spec.tags
        assert spec.queue in QUEUES
        assert all(one.get("description") for one in spec.form["properties"].values())


def test_a_server_is_made_as_it_is_to_be_and_the_second_time_nothing_differs(deployed, run_async):
    """Idempotent: deployments, triggers, queues by priority, limits."""

    async def again():
        async with planned(deployed) as plan, get_client() as client:
            queues = await client.read_work_queues(work_pool_name=USUAL_POOL)
            pool = await client.read_work_pool(USUAL_POOL)
            return plan.differences, {one.name: one.priority for one in queues}, pool.type

    left, queues, kind = run_async(again())
    assert left == ()
    assert kind == "warm"
    assert {name: queues[name] for name in QUEUES} == QUEUES


def test_what_somebody_changed_in_the_ui_is_shown_first_and_set_right_then(deployed, run_async):
    """Another description, steps of its own, a deleted automation, a deployment that is none of ours any more."""

    async def change_and_deploy():
        async with get_client() as client:
            high = await client.read_deployment_by_name(HIGH)
            pull = [{"prefect.deployments.steps.set_working_directory": {"directory": "/srv"}}]
            await client.update_deployment(high.id, DeploymentUpdate(description="Mine.", pull_steps=pull))
            trigger = next(iter(deployed.triggers))
            for automation in await client.read_automations_by_name(trigger):
                await client.delete_automation(automation.id)
            await client.create_deployment(
                flow_id=high.flow_id, name="old", tags=[TAG], work_pool_name=USUAL_POOL
            )
            async with planned(deployed) as plan:
                shown = plan.differences
                made = [one async for one in plan.carry_out()]
            async with planned(deployed) as plan:
                return trigger, shown, made, plan.differences

    trigger, shown, made, left = run_async(change_and_deploy())
    assert told(shown) == {
        ("deployment", HIGH, "change"),
        ("trigger", trigger, "create"),
        ("deployment", "process ready batches/old", "remove"),
    }
    (change,) = (one for one in shown if one.what == "change")
    steps, (name, was, becomes) = sorted(change.values, key=lambda value: value[0] != "pull")
    assert (steps[0], steps[2]) == ("pull", [])
    assert (name, was, becomes) == ("description", "Mine.", deployed.spec(HIGH).description)
    assert tuple(made) == shown
    assert left == ()


def test_what_operators_have_set_of_a_deployment_stays(deployed, run_async):
    """Job variables, and schedules and triggers that are switched off, also where something else is set right."""
    trigger = "Penstock: HIGH batches are ready"

    async def change_and_deploy():
        async with get_client() as client:
            sweep = await client.read_deployment_by_name("sweep/sweep")
            image = DeploymentUpdate(
                description="Mine.", job_variables={"image": "registry.example/penstock:7"}
            )
            await client.update_deployment(sweep.id, image)
            (schedule,) = sweep.schedules
            await client.update_deployment_schedule(sweep.id, schedule.id, active=False)
            high = await client.read_deployment_by_name(HIGH)
            (automation,) = await client.read_automations_by_name(trigger)
            await client.pause_automation(automation.id)
            await client.delete_deployment(high.id)
            made = await deploy(deployed)
            left = await deploy(deployed)
            (automation,) = await client.read_automations_by_name(trigger)
            return made, left, await client.read_deployment_by_name("sweep/sweep"), automation

    made, left, sweep, automation = run_async(change_and_deploy())
    assert told(made) == {
        ("deployment", "sweep/sweep", "change"),
        ("deployment", HIGH, "create"),
        ("trigger", trigger, "change"),
    }
    assert left == ()
    assert sweep.job_variables == {"image": "registry.example/penstock:7"}
    assert [schedule.active for schedule in sweep.schedules] == [False]
    assert not automation.enabled


def test_a_trigger_that_nobody_wants_any_more_is_removed_and_an_operators_own_is_not(deployed, run_async):
    """It would go on starting its deployment beside the one that took its place."""
    name = "Penstock: HIGH batches are ready"
    without = replace(deployed, specs=tuple(replace(spec, triggers=()) for spec in deployed.specs))

    async def story():
        async with get_client() as client:
            (ours,) = await client.read_automations_by_name(name)
            own = AutomationCore(name="my own", trigger=ours.trigger, actions=ours.actions)
            kept = await client.create_automation(own)
            made = await deploy(without)
            left = (
                await client.read_automations_by_name(name),
                await client.read_automations_by_name("my own"),
            )
            await client.delete_automation(kept)
            return made, left

    made, (ours, own) = run_async(story())
    assert told(made) == {("trigger", one, "remove") for one in deployed.triggers}
    assert (ours, len(own)) == ([], 1)


def test_a_trigger_starts_its_deployment_also_after_that_was_made_anew(deployed, run_async):
    """Deleted in the UI it has another id then; `penstock up`, which makes only what is missing, sees to it."""

    async def delete_and_deploy():
        async with get_client() as client:
            gone = await client.read_deployment_by_name(HIGH)
            await client.delete_deployment(gone.id)
            made = await deploy(deployed, only_missing=True)
            high = await client.read_deployment_by_name(HIGH)
            (trigger,) = await client.read_automations_by_name("Penstock: HIGH batches are ready")
            async with planned(deployed) as plan:
                return gone.id, high.id, trigger.actions[0].deployment_id, made, plan.differences

    gone, high, started, made, left = run_async(delete_and_deploy())
    assert gone != high == started
    assert told(made) == {
        ("deployment", HIGH, "create"),
        ("trigger", "Penstock: HIGH batches are ready", "change"),
    }
    assert left == ()


@pytest.fixture
def untold(deployed, run_async):
    """The surface as deployed, with nothing of what operators are told or have in the UI, before and after."""

    async def remove():
        async with get_client() as client:
            for alert in ALERTS:
                for automation in await client.read_automations_by_name(alert.name):
                    await client.delete_automation(automation.id)
            for name in VARIABLES:
                if await client.read_variable_by_name(name) is not None:
                    await client.delete_variable_by_name(name)
            with suppress(ObjectNotFound):
                block = await client.read_block_document_by_name(BLOCK, "webhook")
                await client.delete_block_document(block.id)

    run_async(remove())
    yield deployed
    run_async(remove())


def telling(surface, address):
    """The surface of an installation that tells this address."""
    return replace(surface, settings=surface.settings.model_copy(update={"notify_url": SecretStr(address)}))


def test_what_operators_are_told_and_have_in_the_ui_is_shown_before_it_is_made(untold, run_async):
    """Alerts, the address that they call, Variables; the address is a secret, of which the host is shown."""
    first = telling(untold, "https://hooks.example/T0/secret-part")
    other = telling(untold, "https://hooks.example/T0/another-part")

    async def carried_out(wanted):
        async with planned(wanted) as plan:
            return [one async for one in plan.carry_out()]

    async def story():
        made, changed, left = await carried_out(first), await carried_out(other), await carried_out(other)
        return made, changed, left

    made, changed, left = run_async(story())
    assert told(made) == {
        ("block", BLOCK, "create"),
        *(("alert", alert.name, "create") for alert in ALERTS),
        *(("variable", name, "create") for name in VARIABLES),
    }
    ((name, was, becomes),) = changed[0].values
    assert (name, was != becomes) == ("calls", True)
    assert was.startswith("hooks.example (")
    assert "part" not in was + becomes
    assert (len(changed), left) == (1, [])


def test_alerts_that_told_nobody_are_given_the_address_and_nothing_else_of_theirs_changes(untold, run_async):
    """An operator has switched one off; `penstock up` with an address to notify leaves it off."""
    silenced = ALERTS[0].name

    async def story():
        await deploy(untold)
        async with get_client() as client:
            (alert,) = await client.read_automations_by_name(silenced)
            await client.pause_automation(alert.id)
            made = await deploy(telling(untold, "https://hooks.example/T0/x"), only_missing=True)
            (alert,) = await client.read_automations_by_name(silenced)
            return made, alert

    made, alert = run_async(story())
    assert told(made) == {("block", BLOCK, "create"), *(("alert", one.name, "change") for one in ALERTS)}
    assert made[1].values == (("tells", "nobody", "somebody"),)
    assert not alert.enabled
    assert isinstance(alert.actions[0], CallWebhook)


def test_the_variable_of_the_kill_switches_is_made_with_what_is_paused(untold, run_async):
    """Made empty, it would say that an operator has resumed everything."""
    ledger = open_ledger(untold.settings.ledger_url)
    pause(ledger, Switch.parse("solutions"), "too dear", NOW)

    async def made():
        await deploy(untold)
        async with get_client() as client:
            return await client.read_variable_by_name(switches.VARIABLE)

    variable = run_async(made())
    assert variable.value == ["solutions"]
    assert sorted(variable.tags) == sorted(switches.TAGS)
    assert [one.switch for one in read_pauses(ledger)] == [Switch.parse("solutions")]
    close_ledger(ledger)


def test_installations_that_deploy_at_once_leave_one_of_each(deployed, run_async):
    """Workers of many machines start together: a trigger made twice would start every lane twice."""

    async def at_once():
        async with get_client() as client:
            for trigger in deployed.triggers:
                for automation in await client.read_automations_by_name(trigger):
                    await client.delete_automation(automation.id)
            await asyncio.gather(*(deploy(deployed, only_missing=True) for _ in range(3)))
            return [len(await client.read_automations_by_name(trigger)) for trigger in deployed.triggers]

    assert set(run_async(at_once())) == {1}


def test_an_operators_limit_is_no_difference(deployed, run_async):
    """How many requests there may be is decided by who pays, in the UI; only a missing limit is made."""

    async def lowered():
        cap = deployed.caps[0].name
        async with get_client() as client:
            before = (await client.read_global_concurrency_limit_by_name(cap)).limit
            await client.upsert_global_concurrency_limit_by_name(cap, 3)
            async with planned(deployed) as plan:
                shown = plan.differences
            await client.upsert_global_concurrency_limit_by_name(cap, before)
            return shown

    assert run_async(lowered()) == ()


def test_a_pool_of_another_type_is_told_with_the_way_out(deployed, run_async):
    """A pool's type cannot be changed: nothing is, and it is said what to do."""
    other = replace(deployed, settings=deployed.settings.model_copy(update={"pool_type": "process"}))
    with pytest.raises(PoolError, match=r"is of the type 'warm'.*PENSTOCK_POOL_TYPE=warm"):
        run_async(deploy(other))


async def automation_named(name):
    """The only one of that name."""
    async with get_client() as client:
        (found,) = await client.read_automations_by_name(name)
        return found


def test_installations_that_share_a_server_keep_apart(deployed, run_async, tmp_path):
    """Another pool's deployments have names and triggers of their own, and neither is too much for the other."""
    other = telling(surface_of(Settings(home=tmp_path, pool="staging")), "https://hooks.example/staging")

    async def both():
        await deploy(other)
        async with planned(deployed) as plan, planned(other) as others:
            return plan.differences, others.differences

    assert run_async(both()) == ((), ())
    names = {spec.full_name for spec in other.specs}
    alert = run_async(automation_named("staging: Penstock: dead letters"))
    assert alert.trigger.match.get(POOL_LABEL) == ["staging"]
    assert isinstance(alert.actions[0], CallWebhook)
    alert = run_async(automation_named("Penstock: dead letters"))
    assert alert.trigger.match.get(POOL_LABEL) == [USUAL_POOL]
    assert "process ready batches/staging: high" in names
    assert not names & {spec.full_name for spec in deployed.specs}
    for name, (_, trigger) in other.triggers.items():
        assert name.startswith("staging: ")
        assert trigger.model_dump(mode="json")["match"]["penstock.pool"] == "staging"


def test_prefects_own_deploy_makes_the_same_deployments(deployed, run_async, tmp_path):
    """`prefect deploy --all`, as a team's pipeline may call it: afterwards nothing differs."""
    command = [Path(sys.executable).with_name("prefect"), "--no-prompt", "deploy", "--all"]
    given = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(tmp_path),
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_API_URL": PREFECT_API_URL.value(),
    }
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    async def left():
        async with planned(deployed) as plan:
            return plan.differences

    assert run_async(left()) == ()


def test_the_file_has_the_release_of_the_package():
    """Prefect's own deploy reads it there."""
    entries = yaml.safe_load(prefect_yaml().read_text())["deployments"]
    assert {entry["version"] for entry in entries} == {release()}


def test_differences_are_what_is_missing_what_is_other_and_what_is_too_much():
    """In the order in which they can be made."""
    wanted = {("pool", "p"): {}, ("deployment", "a"): {"tags": ["x"], "limit": 1}, ("limit", "l"): {}}
    found = {("deployment", "a"): {"tags": ["y"], "limit": 1}, ("deployment", "b"): {}, ("pool", "p"): {}}
    assert differences(wanted, found) == (
        Difference("limit", "l", "create"),
        Difference("deployment", "a", "change", (("tags", ["y"], ["x"]),)),
        Difference("deployment", "b", "remove"),
    )
    assert differences(wanted, wanted) == ()


def test_everything_of_a_server_is_looked_at_page_by_page(run_async):
    """However many there are."""

    async def read(limit, offset, of):
        return list(range(of))[offset : offset + limit]

    async def collected(of):
        return [one async for one in pages(read, of=of)]

    for number in (0, 1, 200, 201, 999):
        assert run_async(collected(number)) == list(range(number))
