"""The values of a diagnosis: what is known of a failure, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from tasks.diagnosis.redact import environment_secrets

DIAGNOSIS_SCHEMA_VERSION: Final = "1"

Source = Literal["model", "rules", "trace"]
Said = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Diagnosis(BaseModel):
    """What happened, why, what to do, and a prompt to paste into a coding assistant.

    `source` says who answered. Read by name or alias; written as `rootCause`, `suggestedFix`, `claudePrompt`.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    schema_version: Literal["1"] = DIAGNOSIS_SCHEMA_VERSION
    summary: Said
    root_cause: Said
    suggested_fix: Said
    claude_prompt: Said
    source: Source


@dataclass(frozen=True)
class QualityFinding:
    """A criterion of an item that fell short of its threshold (both 0..1), with the judge's reason."""

    item: str
    criterion: str
    score: float
    threshold: float
    reason: str


@dataclass(frozen=True)
class FailureContext:
    """Where a failure happened and to what. `secrets` are values that must not survive anywhere.

    They default to those of the environment, so that forgetting them is safe.
    """

    stage: str
    batch: str
    tenant: str
    level: str
    scope: str
    attempts: int
    extra: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[QualityFinding, ...] = ()
    secrets: tuple[str, ...] = field(default_factory=environment_secrets, repr=False)


@dataclass(frozen=True)
class Link:
    """One exception of a chain: its type, the names of all its base types, its message, how it came in."""

    error: str
    kinds: frozenset[str]
    message: str
    relation: Literal["failure", "cause", "context", "member"]


@dataclass(frozen=True)
class FailureReport:
    """A failure as text, redacted and bounded: safe to store, show and send.

    `chain` is the error, then its causes and group members. `failing_line` is the innermost line of ours:
    `tasks/produce.py:41 in produce: content = ...`, or empty. `batch` is the context, name by name.
    """

    stage: str
    error: str
    message: str
    traceback: str
    source: str
    batch: Mapping[str, str]
    findings: tuple[QualityFinding, ...] = ()
    chain: tuple[Link, ...] = ()
    failing_line: str = ""

    def shown(self) -> dict[str, Any]:
        """What a model is shown: stage, error, message, traceback, source, batch."""
        names = ("stage", "error", "message", "traceback", "source")
        return {**{name: getattr(self, name) for name in names}, "batch": dict(self.batch)}
