"""Editing a draft notice: no sentence twice, no shouting, at most 120 words; figures and quotes stay."""

import re
from typing import Any, Final

from deployments.offline_model.answers.phrasing import Answer
from deployments.offline_model.sections import words_of

MOST_WORDS: Final = 120
SUBJECT_WORDS: Final = 14
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"\-])|\n+")
_SHOUTED: Final = re.compile(r"\b[A-Z]{4,}(?:[ ,'\-]+[A-Z]{2,})+\b")
_MARKS: Final = re.compile(r"([!?])[!?]+")


def edited(draft: dict[str, Any]) -> Answer:
    """The draft tightened; an empty field says that the draft had none."""
    subject = " ".join(calm(words_of(draft.get("subject"))).split()[:SUBJECT_WORDS])
    return {
        "subject": subject or "Untitled notice",
        "body": tightened(words_of(draft.get("body"))) or "The draft had no text.",
        "call_to_action": calm(words_of(draft.get("call_to_action"))).strip() or "Ask for the full text.",
    }


def calm(text: str) -> str:
    """Runs of capitalised words in sentence case, one mark where there were several."""
    return _MARKS.sub(r"\1", _SHOUTED.sub(lambda run: run.group().capitalize(), text))


def tightened(body: str) -> str:
    """The sentences in order, each once, as many as fit 120 words; those with figures are kept first."""
    sentences = list(dict.fromkeys(part.strip() for part in _SENTENCE.split(calm(body)) if part.strip()))
    kept = _fitting(sentences)
    joined = " ".join(("\n" if said.startswith("- ") else "") + said for said in kept)
    return joined.replace(" \n", "\n").strip()


def _fitting(sentences: list[str]) -> list[str]:
    room, chosen = MOST_WORDS, set[int]()
    ranked = sorted(range(len(sentences)), key=lambda index: (not _has_figure(sentences[index]), index))
    for index in ranked:
        length = len(sentences[index].split())
        if length <= room:
            chosen.add(index)
            room -= length
    if not chosen and sentences:
        return [" ".join(sentences[0].split()[:MOST_WORDS])]
    return [sentence for index, sentence in enumerate(sentences) if index in chosen]


def _has_figure(sentence: str) -> bool:
    return any(character.isdigit() for character in sentence)
