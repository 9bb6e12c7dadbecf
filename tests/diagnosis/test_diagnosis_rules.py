"""Known failures are told in plain words, the right ones for each; unknown ones are left to the trace."""

import asyncio
import errno
import json
import sqlite3
from collections import Counter

import httpx
import pytest
from pydantic import BaseModel

from tasks.diagnosis.describe import describe_failure
from tasks.diagnosis.report import FailureContext, QualityFinding
from tasks.diagnosis.rule_table import CRITERIA, RULES
from tasks.diagnosis.rules import diagnose_by_rules
from tasks.diagnosis.trace import diagnose_by_trace

CONTEXT = FailureContext("insights", "b-1", "mesaply", "HIGH", "tenant", 1)


class LeaseLostError(Exception):
    """Named as the ledger's."""


class OverloadedError(Exception):
    """Named as the provider's."""


class Answer(BaseModel):
    """A schema to fail."""

    title: str


def raised(make):
    """What `make` raises."""
    try:
        make()
    except BaseException as error:  # noqa: BLE001 - any exception is a specimen
        return error
    raise AssertionError("nothing was raised")


def diagnosed(error, **changes):
    """The rules' answer to `error`."""
    return diagnose_by_rules(describe_failure(error, FailureContext(**(CONTEXT.__dict__ | changes))))


def wrapped(cause):
    """A failure of ours with `cause` behind it."""
    error = RuntimeError("insight-1 could not be made")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "summary"),
    [
        (LeaseLostError("b-1"), "Another worker"),
        (asyncio.CancelledError(), "stopped from outside"),
        (KeyboardInterrupt(), "stopped from outside"),
        (RuntimeError("x could not be generated: HTTP 401: bad key"), "refuses the key"),
        (RuntimeError("Client error '403 Forbidden': status code 403"), "refuses the key"),
        (RuntimeError("HTTP 404: model not found"), "does not exist"),
        (RuntimeError("HTTP 429: slow down"), "limits our rate"),
        (RuntimeError("HTTP 529: overloaded_error"), "overloaded or broken"),
        (wrapped(OverloadedError("busy")), "overloaded or broken"),
        (RuntimeError("HTTP 503: later"), "overloaded or broken"),
        (RuntimeError("HTTP 413: too large"), "rejects the request"),
        (RuntimeError("the model refused to answer"), "refused to answer"),
        (RuntimeError("the answer ended early (max_tokens)"), "was cut"),
        (raised(lambda: Answer.model_validate({})), "the form it must have"),
        (raised(lambda: json.loads("{")), "the form it must have"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (sqlite3.OperationalError("database is locked"), "ledger is locked"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written"),
        (PermissionError(13, "Permission denied"), "cannot be written"),
        (sqlite3.OperationalError("no such table: batches"), "tables are missing"),
        (httpx.ReadTimeout("slow"), "longer than it may"),
        (TimeoutError(), "longer than it may"),
        (ConnectionRefusedError(111, "Connection refused"), "cannot be reached"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "cannot be reached"),
        (OSError(24, "Too many open files"), "Too many files"),
        (FileNotFoundError(2, "No such file", "x.toml"), "is missing"),
        (MemoryError(), "Memory ran out"),
        (ModuleNotFoundError("No module named 'polars'"), "not installed"),
        (raised(lambda: {}["timeout"]), "looked something up"),
        (raised(lambda: None.title), "looked something up"),
        (raised(lambda: 1 + "1"), "wrong kind"),
        (ExceptionGroup("two", [ZeroDivisionError("division by zero")]), "wrong kind"),
    ],
)
def test_known_failures_are_named(error, summary):
    """Each failure of the table is recognised by what Python or a library really raises."""
    found = diagnosed(error)
    assert summary in found.summary
    assert found.source == "rules"


def test_the_failing_line_and_the_message_are_in_the_cause():
    """A fault of the program comes with its source line and what it said."""
    found = diagnosed(raised(lambda: {"a": 1}["b"]))
    assert "KeyError: 'b'" in found.root_cause
    assert "tests/diagnosis/test_diagnosis_rules.py:" in found.root_cause
    assert '{"a": 1}["b"]' in found.root_cause


def test_what_no_rule_knows_is_left_to_the_trace():
    """An unknown error has no rule; the trace's diagnosis carries what it said."""
    report = describe_failure(RuntimeError("the otter is loose"), CONTEXT)
    assert diagnose_by_rules(report) is None
    found = diagnose_by_trace(report)
    assert found.source == "trace"
    assert "the otter is loose" in found.summary
    assert "RuntimeError" in found.root_cause


def test_the_trace_names_the_line_where_it_knows_one():
    """A trace with a frame of ours says where."""

    def fail():
        raise RuntimeError("otter")

    assert (
        "in fail: raise RuntimeError" in diagnose_by_trace(describe_failure(raised(fail), CONTEXT)).root_cause
    )


def test_a_closed_gate_is_explained_by_criterion():
    """Scores, thresholds, the judge's reasons and an advice for each criterion, once."""
    findings = (
        QualityFinding("solution:plan", "tone", 0.4, 0.7, "shouts in a quotation"),
        QualityFinding("solution:plan", "clarity", 0.61, 0.7, "three sentences say the same"),
        QualityFinding("notice:admin", "tone", 0.5, 0.7, "blames the customer"),
    )
    found = diagnosed(RuntimeError("gate"), findings=findings)
    assert "solution:plan, notice:admin: tone, clarity" in found.summary
    assert "tone 0.40 < 0.70: shouts in a quotation" in found.root_cause
    assert found.suggested_fix.count("- tone:") == 1
    assert "solution:plan: clarity 0.61 of 0.70" in found.claude_prompt


def test_a_criterion_nobody_foresaw_has_advice_too():
    """Other rubrics' criteria get the general advice."""
    found = diagnosed(RuntimeError("gate"), findings=(QualityFinding("i", "humour", 0.0, 0.7, "none"),))
    assert CRITERIA["*"] in found.suggested_fix


def test_every_rule_can_be_told_from_the_others():
    """Rules say different things, and each is recognised by something."""
    assert max(Counter(rule.summary for rule in RULES).values()) == 1
    assert all(rule.kinds or rule.says for rule in RULES)
