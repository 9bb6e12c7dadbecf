"""Findings: stretches of a text that are personal, and what becomes of those that overlap or were found before."""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final, NamedTuple

_MARK: Final = re.compile(r"\[[A-Z][A-Z_]+\]")

_NAME: Final = re.compile(r"\b[A-ZÀ-ÖØ-Þ][^\W\d_]{2,}[a-zß-öø-ÿ]\b")
_LONGEST_NAME: Final = 3


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


def named_again(text: str, findings: Iterable[Finding], common: Container[str]) -> list[Finding]:
    """Who is named once is meant wherever the name's first or last word stands again: `Ann Lee ... Lee said`.

    Not so a word that the text has in small letters, too, or that is one of the `common` words.
    """
    names = {
        word: finding.score
        for finding in findings
        if finding.entity == "PERSON"
        for word in _ends(text[finding.start : finding.end])
        if word.lower() not in common and not re.search(rf"\b{word.lower()}\b", text)
    }
    return [
        Finding(*match.span(), "PERSON", names[match[0]])
        for match in _NAME.finditer(text)
        if match[0] in names
    ]


def _ends(name: str) -> list[str]:
    words = name.split()
    return [word for word in {words[0], words[-1]} if len(words) <= _LONGEST_NAME and _NAME.fullmatch(word)]


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
    parts: list[str] = []
    at = 0
    for finding in findings:
        parts += text[at : finding.start], f"[{finding.entity}]"
        at = finding.end
    return "".join([*parts, text[at:]])
