"""Diagnosis: a failure's likely cause from its error, message and stack trace, by rules."""

import re
from typing import Final

from deployments.offline_model.answers.phrasing import Answer
from deployments.offline_model.lexicon import load
from deployments.offline_model.reading import cut
from deployments.offline_model.sections import Sections, words_of

_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_SHOWN: Final = 3_000

RULES: Final = tuple(
    (re.compile(rule["when"], re.IGNORECASE), rule["cause"], rule["fix"])
    for rule in load("diagnosis.toml")["rule"]
)
UNKNOWN: Final = (
    "The cause is not one that the rules know.",
    "Read the last line of the trace and reproduce it with the same batch.",
)


def diagnosis(sections: Sections) -> Answer:
    """Summary, root cause, fix and a prompt ready to paste; empty fields of the failure are named as unknown."""
    failure = {name: words_of(value) for name, value in sections.get("failure").items()}
    stage, error = failure.get("stage") or "an unnamed stage", failure.get("error") or "an unnamed error"
    message = cut(" ".join(failure.get("message", "").split()), 300) or "no message"
    cause, fix = _rule(failure)
    where = _where(failure.get("traceback", ""))
    return {
        "summary": f"{stage} failed with {error}: {message}",
        "root_cause": f"{cause} It was raised {where}.",
        "suggested_fix": fix,
        "claude_prompt": _prompt(failure, f"{stage} fails with {error}: {message}", where, cause),
    }


def _rule(failure: dict[str, str]) -> tuple[str, str]:
    """The first rule that fits the error's name and message, then the trace."""
    for text in (f"{failure.get('error', '')} {failure.get('message', '')}", failure.get("traceback", "")):
        for pattern, cause, fix in RULES:
            if pattern.search(text):
                return cause, fix
    return UNKNOWN


def _where(trace: str) -> str:
    frames = _FRAME.findall(trace)
    own = [frame for frame in frames if "site-packages" not in frame[0] and "/lib/python" not in frame[0]]
    if not frames:
        return "at a place the trace does not show"
    path, line, function = (own or frames)[-1]
    return f"in {function} ({path}, line {line})"


def _prompt(failure: dict[str, str], opening: str, where: str, cause: str) -> str:
    shown = [
        f"{name.capitalize()}:\n{failure[name][-_SHOWN:]}"
        for name in ("traceback", "source", "batch")
        if failure.get(name)
    ]
    asked = "Find the root cause, explain it in two sentences, write a test that fails because of it, then fix it."
    return "\n\n".join([f"{opening}. It was raised {where}. A first reading: {cause}", *shown, asked])
