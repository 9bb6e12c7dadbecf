"""The declared patterns: `patterns.toml`, with its fragments put in."""

import re
import tomllib
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_FRAGMENT: Final = re.compile(r"\{([A-Z_]{3,})\}")


class Rule(BaseModel):
    """One pattern: what it finds, how sure that is, and the fact about people's writing that it stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: str
    score: float = Field(gt=0, le=1)
    why: str
    regex: str
    context: tuple[str, ...] = ()
    check: Literal["domain"] | None = None


class Patterns(BaseModel):
    """All patterns, the countries whose telephone numbers are known, and words that are no names by themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phone_regions: tuple[str, ...]
    no_names: tuple[str, ...]
    fragments: dict[str, str]
    pattern: tuple[Rule, ...]


def load_patterns() -> Patterns:
    """The shipped patterns, fragments put in."""
    declared = Patterns.model_validate(
        tomllib.loads(files(__package__).joinpath("patterns.toml").read_text("utf-8"))
    )
    whole = tuple(
        rule.model_copy(update={"regex": _filled(rule.regex, declared.fragments)})
        for rule in declared.pattern
    )
    return declared.model_copy(update={"pattern": whole})


def _filled(regex: str, fragments: dict[str, str]) -> str:
    """A fragment may hold fragments; KeyError names one that is not there."""
    while _FRAGMENT.search(regex):
        regex = _FRAGMENT.sub(lambda found: fragments[found[1]], regex)
    return regex
