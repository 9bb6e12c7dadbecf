"""The word lists and theme families the extraction reads with, loaded once from `words.toml` and `themes.toml`.

Data only: how words are weighed is in `reading`, what is written about a theme in `answers`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, eq=False)
class Theme:
    """A family of things people write about, with what is usually done about it. Equal by identity: one each.

    `action`, `steps` and `risk` may hold the slots `{focus}` (a phrase of the events) and `{ids}` (the
    identifiers they name). `steps` are pairs of an action and the role that owns it.
    """

    label: str
    title: str
    action: str
    steps: tuple[tuple[str, str], ...]
    change: str
    risk: str
    effort: str


def load(name: str) -> dict[str, Any]:
    """The data file of that name beside this module."""
    return tomllib.loads((_HERE / name).read_text(encoding="utf-8"))


def _theme(row: dict[str, Any]) -> Theme:
    steps = tuple((action, owner) for action, owner in row["steps"])
    plain = {name: row[name] for name in ("label", "title", "action", "change", "risk", "effort")}
    return Theme(steps=steps, **plain)


def _index(rows: list[dict[str, Any]]) -> dict[str, tuple[Theme, ...]]:
    """Every word and two-word phrase with the themes it speaks for."""
    index: dict[str, tuple[Theme, ...]] = {}
    for row in rows:
        theme = _theme(row)
        for word in [*row["words"].split(), *row.get("phrases", ())]:
            index[word] = (*index.get(word, ()), theme)
    return index


_WORDS: Final = load("words.toml")
_THEMES: Final = load("themes.toml")

STOP: Final[frozenset[str]] = frozenset(_WORDS["reading"]["stop"].split())
NEGATIVE: Final[frozenset[str]] = frozenset(_WORDS["reading"]["negative"].split())
POSITIVE: Final[frozenset[str]] = frozenset(_WORDS["reading"]["positive"].split())
OPINION: Final = NEGATIVE | POSITIVE
NEGATORS: Final[frozenset[str]] = frozenset(_WORDS["reading"]["negators"].split())
REQUESTS: Final[frozenset[str]] = frozenset(_WORDS["reading"]["requests"].split())

ABUSE: Final[frozenset[str]] = frozenset(_WORDS["judge"]["abuse"].split())
MILD: Final[frozenset[str]] = frozenset(_WORDS["judge"]["mild"].split())
THREATS: Final[tuple[str, ...]] = tuple(_WORDS["judge"]["threats"])
GENERIC: Final[tuple[str, ...]] = tuple(_WORDS["judge"]["generic"])
VERBS: Final[frozenset[str]] = frozenset(_WORDS["judge"]["verbs"].split())

THEME_WORDS: Final = _index(_THEMES["theme"])
PHRASE_STARTS: Final = frozenset(phrase.split()[0] for phrase in THEME_WORDS if " " in phrase)
PRAISE: Final[Theme] = _theme(_THEMES["praise"])
OTHER: Final[Theme] = _theme(_THEMES["other"])
