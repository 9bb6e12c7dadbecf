"""Pools of other kinds: their templates are their workers' own, and valid with what Penstock sets."""

import asyncio

import pytest
from jsonschema import Draft202012Validator
from prefect_aws.workers.ecs_worker import ECSJobConfiguration, ECSWorker

from deployments.pools import PoolError, template_of, with_defaults


@pytest.fixture
def ecs():
    """The template for ECS."""
    return asyncio.run(template_of("ecs"))


def test_the_template_for_ecs_is_prefect_aws_own_but_for_our_defaults(ecs):
    """Nothing is copied that a newer prefect-aws would change, and nothing set that it does not have."""
    theirs = ECSWorker.get_default_base_job_template()
    assert ecs["job_configuration"] == theirs["job_configuration"]
    properties = ecs["variables"]["properties"]
    changed = {
        name for name, schema in properties.items() if schema != theirs["variables"]["properties"][name]
    }
    assert changed == {"family", "container_name", "cpu", "memory", "match_latest_revision_in_family"}


def test_the_template_for_ecs_is_valid_by_prefect_aws_own_schema(ecs):
    """Its defaults fit its schema, and a run's configuration is made of it as the worker makes it."""
    defaults = {
        name: schema["default"]
        for name, schema in ecs["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    Draft202012Validator.check_schema(ecs["variables"])
    Draft202012Validator(ecs["variables"]).validate(defaults)

    async def configured():
        return await ECSJobConfiguration.from_template_and_values(
            ecs, {"image": "registry.example/penstock:1"}
        )

    made = asyncio.run(configured())
    container = made.task_definition["containerDefinitions"][0]
    assert container["image"] == "registry.example/penstock:1"
    assert (made.task_definition["cpu"], made.task_definition["memory"]) == (1024, 4096)


def test_a_variable_that_a_template_does_not_have_is_refused_by_name():
    """A newer worker that renamed one stops the deployment, not the runs."""
    template = {"job_configuration": {}, "variables": {"properties": {"cpu": {}}}}
    with pytest.raises(PoolError, match=r"no memroy; it has cpu"):
        with_defaults(template, {"memroy": 1})
