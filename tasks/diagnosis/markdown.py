"""A diagnosis as markdown: for the Prefect UI and the terminal."""

from typing import Final

from tasks.diagnosis.prompt import code_block
from tasks.diagnosis.report import Diagnosis, FailureReport

_BY: Final = {
    "model": "Explained by the diagnosis model; check before acting.",
    "rules": "Explained by rules; no model was asked, or none answered.",
    "trace": "Nothing could explain it; this is what the trace says.",
}


def to_markdown(diagnosis: Diagnosis, report: FailureReport | None = None) -> str:
    """Headed sections from level 2 on, ending with the prompt in a fence that its content cannot close.

    With `report`, the error and its trace stand before the prompt.
    """
    parts = [
        ("What happened", diagnosis.summary),
        ("Why", diagnosis.root_cause),
        ("What to do", diagnosis.suggested_fix),
    ]
    if report is not None:
        parts.append(("Trace", code_block(f"{report.error}: {report.message}\n\n{report.traceback}", "text")))
    parts.append(("Prompt for a coding assistant", code_block(diagnosis.claude_prompt, "text")))
    sections = (f"## {heading}\n\n{text}" for heading, text in parts)
    return "\n\n".join((*sections, f"*{_BY[diagnosis.source]}*")) + "\n"
