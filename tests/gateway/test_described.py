"""The API's description: what it says of itself holds, whatever a client that was made from it sends."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.http.app import create_app
from ledger.engine import close_ledger, open_ledger
from tasks.settings import Settings
from tests.gateway.conftest import Door, served
from tests.gateway.test_live import work_off

CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance)


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """A gateway with a batch in it, and a key."""
    home = tmp_path_factory.mktemp("described")
    url = f"sqlite:///{home / 'ledger.db'}"
    with served(Settings(home=home, database_url=SecretStr(url), http_events_per_s=1e9)) as address:
        book = open_ledger(url)
        door = Door(address, book)
        work_off(door, 1)
        yield address, door.key("acme")
        close_ledger(book)


DESCRIPTION = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = [result.ok() for result in DESCRIPTION.get_all_operations()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_answer_is_as_described(operation, described):
    """Its status, its kind and its form; and none is a fault of ours."""
    address, key = described

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def holds(case):
        answer = case.call(base_url=address, headers={"authorization": f"Bearer {key}"})
        case.validate_response(answer, checks=CHECKS)

    holds()


def test_everything_is_described():
    """Every address of version 1 that is asked by HTTP, with what it refuses."""
    labels = {one.label for one in OPERATIONS}
    assert "POST /v1/events" in labels
    for one in OPERATIONS:
        if one.label.startswith(("GET /livez", "GET /readyz")):
            continue
        assert {"401", "503"} <= one.definition.raw["responses"].keys(), one.label


def references(value):
    """Every reference in a part of the description."""
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from references(one)


def test_a_generator_of_clients_finds_everything_that_is_referred_to():
    """Each reference leads to a component, and each operation has a name that may be a function's."""
    described = create_app(Settings()).openapi()
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(references(described)) <= known
    assert {"#/components/schemas/Event", "#/components/schemas/TaskRequest"} <= set(references(described))
    names = [one["operationId"] for path in described["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and not name.startswith("v1") for name in names)
    assert {"post_events", "post_task", "get_batch"} <= set(names)
