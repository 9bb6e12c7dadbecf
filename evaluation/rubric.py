"""Rubrics: the criteria and thresholds a judge is given, versioned by their content."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

LEAKAGE: Final = "no_system_leakage"
"""The criterion that leak checks back up."""


@dataclass(frozen=True)
class Criterion:
    """One question to the judge. `threshold` is the least score (0..1) that passes."""

    name: str
    question: str
    best: str
    worst: str
    threshold: float = 0.7


@dataclass(frozen=True)
class Rubric:
    """Criteria that are judged together; all must pass."""

    criteria: tuple[Criterion, ...]

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the criteria: any change is another version."""
        text = json.dumps([asdict(criterion) for criterion in self.criteria], sort_keys=True)
        return sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """The least passing score by criterion."""
        return {criterion.name: criterion.threshold for criterion in self.criteria}


DELIVERABLE_RUBRIC = Rubric(
    (
        Criterion(
            "relevance",
            "Does the text speak to concrete, named matters, and is it what its kind and audience call for?",
            "Every part serves the reader; claims carry figures or quotations.",
            "Generic text that could stand anywhere, or text about something else.",
        ),
        Criterion(
            "clarity",
            "Can the reader understand it in one reading?",
            "Short, ordered, complete sentences; no placeholders, no repetition.",
            "Confused, broken, padded or unfinished.",
        ),
        Criterion(
            "tone",
            "Is it courteous, calm and fit to be sent under a company's name?",
            "Plain and respectful, also where it quotes people who are angry.",
            "Insults, shouting, blame, sarcasm, or abuse passed on in quotations.",
        ),
        Criterion(
            LEAKAGE,
            "Is it free of instructions to a model, prompt text, markup, keys and internals of the system?",
            "Nothing shows how the text was made.",
            "Instructions such as 'ignore what you were told', prompt fragments, markup, credentials.",
        ),
        Criterion(
            "user_actionable",
            "Does the reader know what to do or decide next?",
            "A specific next step, by whom and when where that matters.",
            "Observation without consequence.",
        ),
    ),
)
