"""Infrastructure as code: what it declares it uses, what it uses is declared, and the rules of the house hold in it.

Parsed and not planned: Terraform and its providers come from nowhere that a test can reach.
"""

import re
from pathlib import Path

import hcl2
import pytest
from typer.main import get_command

from gateway.cli.app import app
from tasks.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "deployments" / "terraform"
TEXTS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.tf"))}
WHOLE = re.sub(r"(?m)^\s*#.*$", "", "\n".join(TEXTS.values()))
TWO_WEEKS_S = 14 * 24 * 3600


def plain(value):
    """Without the quotation marks that the parser keeps."""
    if isinstance(value, dict):
        return {plain(name): plain(one) for name, one in value.items() if not str(name).startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.strip('"') if isinstance(value, str) else value


@pytest.fixture(scope="module")
def parsed():
    """Every file, by its name."""
    return {name: plain(hcl2.loads(text)) for name, text in TEXTS.items()}


def blocks(parsed, kind):
    """The blocks of a kind: (labels, body)."""
    for file in parsed.values():
        for one in file.get(kind, []):
            labels = []
            body = one
            while (
                isinstance(body, dict)
                and len(body) == 1
                and isinstance(next(iter(body.values())), (dict, list))
            ):
                label, body = next(iter(body.items()))
                labels.append(label)
                body = body[0] if isinstance(body, list) else body
                if len(labels) == (1 if kind in {"variable", "output"} else 2):
                    break
            yield tuple(labels), body


def test_every_file_is_terraform(parsed):
    """And there is something in each."""
    assert len(parsed) == len(TEXTS) >= 10
    assert all(parsed.values())


def test_every_variable_is_used_and_every_one_used_is_declared(parsed):
    """With a description and a type."""
    declared = {labels[0]: body for labels, body in blocks(parsed, "variable")}
    assert set(re.findall(r"\bvar\.(\w+)", WHOLE)) == set(declared)
    for name, body in declared.items():
        assert body["description"].endswith("."), name
        assert "type" in body, name


def test_every_local_is_used_and_every_one_used_is_declared():
    """As with variables."""
    declared = set()
    for text in re.findall(r"(?ms)^locals \{\n(.*?)^\}", WHOLE):
        declared |= set(re.findall(r"(?m)^  (\w+)\s+=", text))
    assert set(re.findall(r"\blocal\.(\w+)", WHOLE)) == declared


def test_everything_that_is_referred_to_is_declared(parsed):
    """Resources and data sources, by type and name."""
    made = {labels for labels, _ in blocks(parsed, "resource")}
    read = {labels for labels, _ in blocks(parsed, "data")}
    used = set(re.findall(r"(?<![.\w\"])((?:aws|random)_\w+)\.(\w+)", re.sub(r"data\.\w+\.\w+", "", WHOLE)))
    assert used <= made
    assert set(re.findall(r"\bdata\.(\w+)\.(\w+)", WHOLE)) == read


def test_every_queue_has_dead_letters_for_two_weeks(parsed):
    """And a message gets there after five deliveries."""
    queues = {labels[1]: body for labels, body in blocks(parsed, "resource") if labels[0] == "aws_sqs_queue"}
    assert set(queues) == {"dead", "this"}
    assert f"dead_letters_kept_s = {TWO_WEEKS_S}" in TEXTS["queues.tf"]
    assert "local.dead_letters_kept_s" in str(queues["dead"]["message_retention_seconds"])
    assert "maxReceiveCount" in str(queues["this"]["redrive_policy"])
    assert all("kms_master_key_id" in body for body in queues.values())


def test_whoever_sends_to_a_queue_may():
    """EventBridge to the queues and, what it could not deliver, to their dead letters."""
    text = TEXTS["queues.tf"]
    for name in ("this", "dead"):
        assert f"aws_sqs_queue.{name}[each.key].id\n  policy " in text
    assert text.count("events.amazonaws.com") == 2


def test_whoever_reads_objects_may_know_which_are_there(parsed):
    """Without, S3 answers 403 for what is not there."""
    for labels, body in blocks(parsed, "data"):
        told = str(body)
        assert ("s3:GetObject" in told) == ("s3:ListBucket" in told), labels


def test_no_part_may_do_everything():
    """But for the key's and the queue's own policies, no statement is about everything."""
    text = re.sub(r"(?m)#.*$", "", TEXTS["iam.tf"])
    assert '"*"' not in text
    assert ":*" not in text


def test_every_setting_that_the_services_get_is_one():
    """Penstock refuses others at its start."""
    fields = {f"PENSTOCK_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\b(PENSTOCK_\w+)\b", TEXTS["services.tf"]))
    assert named <= fields
    assert len(named) >= 4


def test_every_command_that_the_services_run_is_one():
    """Of Penstock's command line."""
    commands = set(get_command(app).commands)
    run = re.findall(r'command = \["penstock", "(\w+)"', TEXTS["services.tf"])
    assert set(run) == {"serve", "consume", "attachments"} <= commands


def test_every_alarm_says_where_the_runbook_tells_what_to_do():
    """By a heading that is there."""
    runbook = (FOLDER.parents[1] / "docs" / "runbook.md").read_text()
    headings = {line.removeprefix("## ") for line in runbook.splitlines() if line.startswith("## ")}
    named = re.findall(r'docs/runbook\.md, ([^".]+)\."', TEXTS["alarms.tf"])
    assert len(named) == TEXTS["alarms.tf"].count('resource "aws_cloudwatch_metric_alarm"')
    assert set(named) <= headings
