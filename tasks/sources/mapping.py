"""The mapping: one declared file that says how records become events. What it does is in `mapper`."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from contracts.errors import OperatorError
from contracts.events import Kind, Name, Priority, Who

Op = Literal["eq", "ne", "in", "lt", "le", "gt", "ge", "exists", "absent"]
ROOTS: Final = ("source", "tenant", "user", "data")


class MappingError(OperatorError):
    """The mapping file is wrong; the message names the file, the key and what is allowed."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Names = tuple[Name, ...]


class Fields(_Declared):
    """Which fields of a record give what an event needs: the first that is there is taken."""

    id: Names
    source: Names
    type: Names
    time: Names
    tenant: Names
    user: Names
    priority: Names
    feature: Names
    topic: Names
    data: Names


def _rooted(path: str) -> str:
    steps = path.split(".")
    if steps[0] not in ROOTS or not all(steps):
        raise ValueError(f"a path begins with one of {', '.join(ROOTS)}, as in data.rating")
    if steps.count("*") > 1 or steps[-1] == "*":
        raise ValueError("`*` stands once and not last, as in data.answers.*.answer")
    return path


class Rule(_Declared):
    """`priority` for the events whose `field` compares to `value` as `op` says."""

    field: str
    op: Op
    value: Any = None
    priority: Priority

    _rooted = field_validator("field")(_rooted)

    @model_validator(mode="after")
    def _value_fits_op(self) -> "Rule":
        is_number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if self.op in {"lt", "le", "gt", "ge"} and not is_number:
            raise ValueError(f"op {self.op!r} compares with a number; give value = 3 or the like")
        if self.op == "in" and not isinstance(self.value, list):
            raise ValueError("op 'in' looks in a list; give value = [...]")
        if self.op in {"eq", "ne"} and not isinstance(self.value, (str, int, float)):
            raise ValueError(f"op {self.op!r} compares with a text, a number, true or false; give value")
        return self


class KindRules(_Declared):
    """What is known of one kind of event beforehand."""

    pipeline: Name
    feature: Name
    topic: tuple[str, ...]
    fallback_topic: Name
    priority: Priority
    rules: tuple[Rule, ...] = ()

    @field_validator("topic")
    @classmethod
    def _rooted(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_rooted(path) for path in paths)


class Mapping(_Declared):
    """A valid mapping: every kind has its rules, every severity word (lower case) its priority."""

    default_tenant: Who | None = None
    fields: Fields
    severity_words: dict[str, Priority]
    kinds: dict[Kind, KindRules]

    @field_validator("severity_words")
    @classmethod
    def _lower(cls, words: dict[str, Priority]) -> dict[str, Priority]:
        return {word.strip().lower(): priority for word, priority in words.items()}

    @field_validator("kinds")
    @classmethod
    def _complete(cls, kinds: dict[Kind, KindRules]) -> dict[Kind, KindRules]:
        missing = [kind for kind in Kind if kind not in kinds]
        if missing:
            raise ValueError(f"every kind has a table; missing: {', '.join(missing)}")
        return kinds


def load_mapping(path: Path | None = None) -> Mapping:
    """The mapping in a file, or the shipped one; MappingError says what is wrong with it and where."""
    source = path or files("tasks.sources") / "mapping.toml"
    try:
        return Mapping.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except OSError as error:
        reason = f"the mapping {source} cannot be read ({error.strerror}); check PENSTOCK_MAPPING"
        raise MappingError(reason) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"the mapping {source} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise MappingError(f"the mapping {source} is wrong at {key}: {first['msg']}") from error
