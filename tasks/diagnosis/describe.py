"""From an exception and its context to a report: everything that is known, as safe text.

Nothing here asks a model or decides what a failure means.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tasks.diagnosis.frames import Frame, excerpts, frames_of
from tasks.diagnosis.redact import PLACEHOLDER, is_secret_name
from tasks.diagnosis.report import FailureContext, FailureReport, Link, QualityFinding
from tasks.diagnosis.safely import bounded, safe_text, shielded, shortened, type_name

REPORT_CHARS: Final = 12_000
"""The most characters of a report's message, traceback, source and batch together."""

_MESSAGE_CHARS: Final = 2_000
_LINK_CHARS: Final = 600
_TRACEBACK_CHARS: Final = 3_500
_SOURCE_CHARS: Final = 4_500
_BATCH_CHARS: Final = 2_000
_NAME_CHARS: Final = 60
_VALUE_CHARS: Final = 200
_MOST_LINKS: Final = 8
_MOST_MEMBERS: Final = 3
_MOST_NOTES: Final = 3
_MOST_EXCERPTS: Final = 6
_MOST_VALUES: Final = 20

Relation = Literal["failure", "cause", "context", "member"]
_HEADINGS: Final[Mapping[Relation, str]] = {
    "failure": "Failed with",
    "cause": "caused by",
    "context": "while handling",
    "member": "in the group",
}


@dataclass(frozen=True)
class _Step:
    """A link with its frames, innermost last, and its notes."""

    link: Link
    frames: tuple[Frame, ...]
    notes: tuple[str, ...]


def describe_failure(error: BaseException, context: FailureContext) -> FailureReport:
    """All there is to know of `error`: redacted, bounded to about 12,000 characters. Never raises."""
    unknown = FailureReport("unknown", "unknown", "the failure could not be described", "", "", {})
    return shielded(lambda: _described(error, context), unknown)


def _described(error: BaseException, context: FailureContext) -> FailureReport:
    secrets = context.secrets
    steps = _steps(error, secrets)
    inner = [frame for step in steps for frame in reversed(step.frames) if frame.is_ours]
    return FailureReport(
        stage=safe_text(context.stage, secrets, _NAME_CHARS),
        error=steps[0].link.error,
        message=safe_text(error, secrets, _MESSAGE_CHARS) or "(no message)",
        traceback=shortened("\n".join(map(_rendered, steps)), _TRACEBACK_CHARS),
        source=shortened(excerpts(_worth_showing(steps)), _SOURCE_CHARS),
        batch=shielded(lambda: _batch(context), {}),
        findings=shielded(
            lambda: tuple(_finding(one, secrets) for one in context.findings[:_MOST_VALUES]), ()
        ),
        chain=tuple(step.link for step in steps),
        failing_line=shortened(str(inner[0]), 2 * _VALUE_CHARS) if inner else "",
    )


def _steps(error: BaseException, secrets: tuple[str, ...]) -> list[_Step]:
    """The error, its causes and its group's members, breadth first, each once, at most eight."""
    waiting: deque[tuple[BaseException, Relation]] = deque([(error, "failure")])
    seen: set[int] = set()
    steps: list[_Step] = []
    while waiting and len(steps) < _MOST_LINKS:
        current, relation = waiting.popleft()
        if id(current) in seen:
            continue
        seen.add(id(current))
        steps.append(_step(current, relation, secrets))
        waiting.extend(shielded(lambda of=current: _behind(of), []))  # type: ignore[misc]
    return steps


def _behind(error: BaseException) -> list[tuple[BaseException, Relation]]:
    found: list[tuple[BaseException, Relation]] = []
    if isinstance(error, BaseExceptionGroup):
        found += [(member, "member") for member in error.exceptions[:_MOST_MEMBERS]]
    if error.__cause__ is not None:
        found.append((error.__cause__, "cause"))
    elif error.__context__ is not None and not error.__suppress_context__:
        found.append((error.__context__, "context"))
    return found


def _step(error: BaseException, relation: Relation, secrets: tuple[str, ...]) -> _Step:
    kinds = shielded(lambda: frozenset(kind.__name__ for kind in type.mro(type(error))), frozenset[str]())
    return _Step(
        Link(type_name(error), kinds, safe_text(error, secrets, _LINK_CHARS), relation),
        shielded(lambda: frames_of(error.__traceback__, secrets), ()),
        shielded(lambda: _notes(error, secrets), ()),
    )


def _notes(error: BaseException, secrets: tuple[str, ...]) -> tuple[str, ...]:
    notes = getattr(error, "__notes__", [])[:_MOST_NOTES]
    return tuple(safe_text(note, secrets, _VALUE_CHARS) for note in notes)


def _rendered(step: _Step) -> str:
    lines = [f"{_HEADINGS[step.link.relation]} {step.link.error}: {step.link.message}"]
    lines += [f"  note: {note}" for note in step.notes]
    lines += [f"  at {frame}" for frame in step.frames]
    return "\n".join(lines)


def _worth_showing(steps: list[_Step]) -> list[Frame]:
    """Of each exception the three innermost frames of ours and the innermost of all, each place once."""
    chosen: dict[tuple[str, int], Frame] = {}
    for step in steps:
        ours = [frame for frame in step.frames if frame.is_ours][-3:]
        for frame in [*ours, *step.frames[-1:]]:
            chosen.setdefault((frame.path, frame.line), frame)
    return list(chosen.values())[:_MOST_EXCERPTS]


def _batch(context: FailureContext) -> dict[str, str]:
    named: dict[str, object] = {
        "batch": context.batch,
        "tenant": context.tenant,
        "level": context.level,
        "scope": context.scope,
        "attempts": context.attempts,
        **context.extra,
    }
    shown: dict[str, str] = {}
    room = _BATCH_CHARS
    for name, value in list(named.items())[:_MOST_VALUES]:
        label = safe_text(name, context.secrets, _NAME_CHARS)
        said = PLACEHOLDER if is_secret_name(label) else safe_text(value, context.secrets, _VALUE_CHARS)
        room -= len(label) + len(said)
        if room < 0:
            break
        shown[label] = said
    return shown


def _finding(found: QualityFinding, secrets: tuple[str, ...]) -> QualityFinding:
    return QualityFinding(
        item=bounded(found.item, secrets, _NAME_CHARS),
        criterion=bounded(found.criterion, secrets, _NAME_CHARS),
        score=float(found.score),
        threshold=float(found.threshold),
        reason=bounded(found.reason, secrets, 2 * _VALUE_CHARS),
    )
