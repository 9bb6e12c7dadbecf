"""Prompts: one file each, versioned by content."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files


@dataclass(frozen=True)
class Prompt:
    """A system prompt. `version` is the first 12 hex digits of its text's SHA-256."""

    name: str
    text: str

    @property
    def version(self) -> str:
        """Changes with every change of the text."""
        return sha256(self.text.encode()).hexdigest()[:12]


@cache
def load_prompt(name: str) -> Prompt:
    """The shipped prompt called `name`; FileNotFoundError when there is none."""
    return Prompt(name, files("tasks.prompts").joinpath(f"{name}.md").read_text())
