"""Findings: stretches of a text that are personal, and what becomes of those that overlap or were found before."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_MARK: Final = re.compile(r"\[[A-Z][A-Z_]+\]")


class Finding(NamedTuple):
    """`text[start:end]` is personal: a PERSON, an EMAIL_ADDRESS...; `score` says how sure that is, 0 to 1."""

    start: int
    end: int
    entity: str
    score: float


def outside_marks(text: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings without what stands in marks such as `[PERSON]`, for a mark is nothing personal any more."""
    marks = [match.span() for match in _MARK.finditer(text)]
    for finding in findings:
        start = finding.start
        for opens, closes in marks:
            if opens < finding.end and closes > start:
                yield from _said(text, finding._replace(start=start, end=max(start, opens)))
                start = min(closes, finding.end)
        yield from _said(text, finding._replace(start=start))


def _said(text: str, finding: Finding) -> Iterator[Finding]:
    if any(map(str.isalnum, text[finding.start : finding.end])):
        yield finding


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """In the order of the text; overlapping ones become one, named after the surest, then the longest, of them."""
    together: list[Finding] = []
    best: list[Finding] = []
    for one in sorted(findings):
        if together and one.start < together[-1].end:
            best[-1] = max(best[-1], one, key=_weight)
            together[-1] = together[-1]._replace(end=max(together[-1].end, one.end))
        else:
            together.append(one)
            best.append(one)
    return [
        whole._replace(entity=part.entity, score=part.score)
        for whole, part in zip(together, best, strict=True)
    ]


def _weight(finding: Finding) -> tuple[float, int, str]:
    return finding.score, finding.end - finding.start, finding.entity


def replaced(text: str, findings: Iterable[Finding]) -> str:
    """The text with a mark, `[PERSON]`, in place of each finding; these do not overlap and are in order."""
    parts, at = [], 0
    for finding in findings:
        parts += text[at : finding.start], f"[{finding.entity}]"
        at = finding.end
    return "".join([*parts, text[at:]])
