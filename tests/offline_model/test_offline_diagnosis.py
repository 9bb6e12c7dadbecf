"""The diagnosis: a likely cause by rules, with a prompt ready to paste."""

import pytest

from deployments.offline_model.answers import answer
from evaluation.fence import fenced

TRACE = """Traceback (most recent call last):
  File "/app/tasks/stages/insights.py", line 41, in plan
  File "/venv/lib/python3.11/site-packages/pydantic/main.py", line 5, in check
"""


def diagnosed(ask, **failure):
    """The diagnosis of a failure, validated."""
    return ask.diagnosis.model_validate_json(answer("Diagnosis", fenced({"failure": failure})))


@pytest.mark.parametrize(
    ("error", "message", "cause"),
    [
        ("RateLimitError", "429", "rate limit"),
        ("OverloadedError", "Overloaded", "overloaded"),
        ("AuthenticationError", "invalid key", "key was missing"),
        ("APITimeoutError", "Request timed out.", "time limit"),
        ("APIConnectionError", "Connection refused", "could not be reached"),
        ("OperationalError", "database is locked", "database"),
        ("ValidationError", "1 validation error for InsightReport", "shape"),
        ("QualityError", "tone 0.4 is below threshold", "judge scored"),
        ("KeyError", "'tenant'", "does not handle"),
        ("FileNotFoundError", "No such file", "file is missing"),
        ("Weird", "something odd", "not one that the rules know"),
    ],
)
def test_the_cause_follows_from_error_and_message(ask, error, message, cause):
    """The first rule that fits names it; otherwise it says that none does."""
    made = diagnosed(ask, stage="insights", error=error, message=message, traceback="")
    assert cause in made.root_cause
    assert message in made.summary
    assert made.suggested_fix


def test_the_own_frame_of_the_trace_is_named_and_the_prompt_carries_it(ask):
    """Libraries are passed over; the trace, source and batch are in the prompt."""
    made = diagnosed(
        ask, stage="insights", error="Odd", message="", traceback=TRACE, source="code", batch={"id": "b-1"}
    )
    assert "in plan (/app/tasks/stages/insights.py, line 41)" in made.root_cause
    assert "Traceback (most recent call last)" in made.claude_prompt
    assert '{"id":"b-1"}' in made.claude_prompt


def test_a_trace_of_libraries_only_and_an_empty_failure_are_diagnosed_too(ask):
    """The last frame there is, or none; a cause may stand in the trace alone."""
    made = diagnosed(ask, traceback=TRACE.splitlines()[2] + "\npsycopg.OperationalError")
    assert "pydantic/main.py" in made.root_cause
    assert "database" in made.root_cause
    assert "an unnamed stage failed with an unnamed error" in diagnosed(ask).summary
