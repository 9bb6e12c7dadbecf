"""What must not be in an output, found by the patterns of `leakage.toml`."""

import re
from collections.abc import Iterator
from typing import Final

from deployments.offline_model.lexicon import load

PATTERNS: Final = tuple(
    (leak["price"], leak["name"], tuple(leak["cues"]), re.compile(leak["pattern"], re.IGNORECASE))
    for leak in load("leakage.toml")["leak"]
)


def leaks_in(text: str) -> Iterator[tuple[float, str, str]]:
    """Each kind of leak found, once: its price, its name, the words that show it."""
    lowered = text.lower()
    for price, name, cues, pattern in PATTERNS:
        if any(cue in lowered for cue in cues) and (found := pattern.search(text)):
            yield price, name, found.group()
