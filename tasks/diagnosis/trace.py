"""Diagnosis by the trace alone: the last resort, which needs nothing but the report."""

from tasks.diagnosis.prompt import ready_prompt
from tasks.diagnosis.report import Diagnosis, FailureReport


def diagnose_by_trace(report: FailureReport) -> Diagnosis:
    """What the error itself says, as a diagnosis."""
    where = (
        f"It happened at {report.failing_line}" if report.failing_line else "No source line of ours is known."
    )
    return Diagnosis(
        summary=f"{report.error} in stage '{report.stage}': {report.message}",
        root_cause=f"Not known: no rule knows this failure. {where}\n\n{report.traceback}",
        suggested_fix="Read the trace, or paste the prompt below into a coding assistant.",
        claude_prompt=ready_prompt(report),
        source="trace",
    )
