"""Versioned contracts: what an earlier version stored is read, and what nobody knows is refused by name."""

import json
from pathlib import Path

import pytest

from contracts.attachments import ATTACHMENT_SCHEMA_VERSION, Attachment
from contracts.deliverables import DELIVERABLE_SCHEMA_VERSION, Deliverable
from contracts.events import EVENT_SCHEMA_VERSION, Event, Rejection
from contracts.versions import CURRENT, UPGRADES, UnknownVersionError, upgraded, upgraded_json

GOLDEN = Path(__file__).parent / "golden"
CONTRACTS = {"attachment": Attachment, "event": Event, "rejection": Rejection, "deliverable": Deliverable}


def golden(kind, version):
    """A payload as that version wrote it."""
    return (GOLDEN / f"{kind.replace(' ', '_')}-{version}.json").read_text()


def test_every_version_that_is_read_has_a_golden_file():
    """A new version comes with a file of its own, and none is taken away."""
    readable = {(kind, version) for kind, version in CURRENT.items()} | set(UPGRADES)
    assert {path.stem for path in GOLDEN.glob("*.json")} == {
        f"{kind.replace(' ', '_')}-{version}" for kind, version in readable
    }


@pytest.mark.parametrize("kind", CONTRACTS)
def test_a_contract_reads_its_golden_file_and_writes_the_same(kind):
    """A field that is renamed, dropped or retyped without a new version breaks this."""
    text = golden(kind, CURRENT[kind])
    read = CONTRACTS[kind].model_validate_json(upgraded_json(kind, CURRENT[kind], text))
    assert read.model_dump(mode="json") == json.loads(text)


@pytest.mark.parametrize(("kind", "version"), UPGRADES)
def test_an_earlier_version_becomes_the_current_one(kind, version):
    """Through its upgrade, the old golden file is the new one."""
    old, new = json.loads(golden(kind, version)), json.loads(golden(kind, CURRENT[kind]))
    assert upgraded(kind, version, old) == new
    assert json.loads(upgraded_json(kind, version, json.dumps(old))) == new


@pytest.mark.parametrize("kind", CURRENT)
@pytest.mark.parametrize("version", ["0", "99", "", "v1"])
def test_any_other_version_is_refused_by_name(kind, version):
    """The message names kind, version and what is read, and says that nothing was changed."""
    with pytest.raises(UnknownVersionError, match="it has been left as it was") as refused:
        upgraded(kind, version, {})
    assert f"{kind} of schema version {version!r}" in str(refused.value)


def test_the_contracts_write_the_version_that_is_current():
    """One number a kind, whoever writes it."""
    assert CURRENT["attachment"] == ATTACHMENT_SCHEMA_VERSION
    assert CURRENT["event"] == EVENT_SCHEMA_VERSION
    assert CURRENT["deliverable"] == DELIVERABLE_SCHEMA_VERSION
