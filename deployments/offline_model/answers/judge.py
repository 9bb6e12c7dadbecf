"""JudgeReply: five graded scores from the text alone, each with the reason that cost most.

Each criterion starts from what is good about the text and loses points for what is wrong with it; the reason
cites what was seen. The rules are a rehearsal's stand-in for a judge, not a measure of quality.
"""

import re
from collections import Counter
from typing import Final

from deployments.offline_model.answers.judged_text import FEWEST_WORDS, JudgedText, judged_text
from deployments.offline_model.answers.leakage import leaks_in
from deployments.offline_model.answers.phrasing import Answer, counted
from deployments.offline_model.lexicon import ABUSE, GENERIC, MILD, THREATS
from deployments.offline_model.reading import cut, is_content, words_in
from deployments.offline_model.sections import Sections

Loss = tuple[float, str]

FEWEST_NAMED: Final = 10
FEWEST_CONTENT: Final = 2
WORDS_ENOUGH: Final = 7
REPEATED: Final = 3
LONG_ENOUGH: Final = 30

_PLACEHOLDER: Final = re.compile(
    r"X{3,}(?:[\s/]+X{2,})*|\{\w+\}|TODO\b|TBD\b|\[(?:insert|name|your)[^\]]*\]|[Ll]orem ipsum"
)
_SHOUT: Final = re.compile(r"\b(?!X+\b)[A-Z]{2,}(?:[ ,'\-]+(?!X+\b)[A-Z]{1,}\b){4,}")
_MARKS: Final = re.compile(r"[!?]{2,}")
_TWICE: Final = re.compile(r"\b(?!x+\b)([a-z]{3,}) \1\b", re.IGNORECASE)
_CUES: Final = (
    "next step",
    "look first",
    "look into",
    "decision needed",
    "within ",
    "owner",
    "this week",
    "begin with",
)
_SYMBOL: Final = re.compile(r"[^\w\s]|_")
_HEADINGS: Final = re.compile(r"^#+ ", re.MULTILINE)


def judge_reply(sections: Sections) -> Answer:
    """The five criteria's scores, 0..1, with reasons; an empty text scores 0 on each."""
    said = judged_text(sections)
    if not said.words:
        return {name: {"score": 0.0, "reason": "The text is empty."} for name in CRITERIA}
    return {name: criterion(said) for name, criterion in CRITERIA.items()}


def _score(best: float, losses: list[Loss], good: str) -> Answer:
    lost = sorted((loss for loss in losses if loss[0] > 0), reverse=True)
    score = max(0.0, min(1.0, best - sum(points for points, _ in lost)))
    return {"score": round(score, 3), "reason": lost[0][1] if lost else good}


def _shown(text: str) -> str:
    return f'"{cut(" ".join(text.split()), 80)}"'


def relevance(said: JudgedText) -> Answer:
    """Figures, quotes and named matters raise it; empty quotes, generic phrases and short texts lower it."""
    thin = [quote for quote in said.quotes if _is_thin(quote)]
    telling = len(said.quotes) - len(thin)
    named = _content(said.plain)
    best = 0.82 + 0.02 * min(len(said.figures), 4) + 0.02 * min(telling, 3)
    losses = [
        (
            0.35 * (not said.figures and not telling),
            "It has neither a figure nor a quotation, so it could stand anywhere.",
        ),
        (
            0.45 * len(thin) / max(1, len(said.quotes)),
            f"What it quotes says next to nothing: {_shown((thin or [''])[0])}.",
        ),
        (
            0.06 * (not said.quotes and said.audience == "end user"),
            "It does not show the reader's own words.",
        ),
        (0.25 * (named < FEWEST_NAMED), f"It names only {counted(named, 'matter')}."),
        (
            0.1 * (said.kind == "solution" and not _HEADINGS.search(said.text)),
            "A solution should have headed parts.",
        ),
        *((0.12, f"The phrase {_shown(phrase)} is generic.") for phrase in GENERIC if phrase in said.lowered),
    ]
    good = f"It rests on {counted(len(said.figures), 'figure')} and {counted(telling, 'quotation')}."
    return _score(best, losses, good)


def _is_thin(quote: str) -> bool:
    return len(words_in(quote)) < FEWEST_WORDS or (
        _content(quote) < FEWEST_CONTENT and len(quote.split()) < WORDS_ENOUGH
    )


def _content(text: str) -> int:
    return len(set(filter(is_content, words_in(text))))


def clarity(said: JudgedText) -> Answer:
    """Short, whole, different sentences raise it; placeholders, repetition, length and symbols lower it."""
    masks = _PLACEHOLDER.findall(said.text)
    longest = max(said.sentences, key=len)
    length = len(longest.split())
    counts = Counter(line for line in said.sentences if len(line) >= LONG_ENOUGH and not line.endswith(":"))
    again = [line for line, count in counts.items() if count >= REPEATED]
    letters = 1 - len(_SYMBOL.findall(said.plain)) / len(said.plain)
    losses = [
        (
            min(0.05 * len(masks), 0.4),
            f"It leaves {counted(len(masks), 'placeholder')} such as {_shown((masks or [''])[0])}.",
        ),
        (0.01 * max(0.0, said.mean_length - 14), f"Sentences have {said.mean_length:.0f} words on average."),
        (min(0.004 * max(0, length - 32), 0.2), f"One sentence runs to {length} words: {_shown(longest)}."),
        (min(0.1 * len(again), 0.3), f"It repeats {_shown((again or [''])[0])}."),
        (min(0.08 * len(_TWICE.findall(said.plain)), 0.2), "It repeats a word by mistake."),
        (0.4 * (letters < 0.75), f"Only {letters:.0%} of it is letters."),  # noqa: PLR2004
        (min(0.0002 * max(0, len(said.words) - 700), 0.2), f"It is {len(said.words)} words long."),
    ]
    return _score(0.94, losses, f"Its {counted(len(said.sentences), 'sentence')} are short and complete.")


def tone(said: JudgedText) -> Answer:
    """Abuse and threats cost most, then shouting; also inside quotations, which are passed on."""
    abuse = sorted(set(said.words) & ABUSE)
    mild = sorted(set(said.words) & MILD)
    threats = [threat for threat in THREATS if threat in said.lowered]
    shouted = [found.group() for found in _SHOUT.finditer(said.plain)]
    losses = [
        (0.4 * len(abuse), f"It passes on abuse: {_shown((abuse or [''])[0])}."),
        (0.4 * len(threats), f"It passes on a threat: {_shown((threats or [''])[0])}."),
        (0.28 * bool(shouted), f"It shouts: {_shown((shouted or [''])[0])}."),
        (min(0.09 * len(mild), 0.3), f"The word {_shown((mild or [''])[0])} is harsh."),
        (min(0.04 * len(_MARKS.findall(said.plain)), 0.2), "It stacks exclamation or question marks."),
    ]
    return _score(0.95, losses, "It is courteous and calm throughout.")


def no_system_leakage(said: JudgedText) -> Answer:
    """Instructions to a model, prompt parts, markup, credentials and internals, each at its own price."""
    losses = [
        (points, f"It contains {name}: {_shown(shown)}.") for points, name, shown in leaks_in(said.text)
    ]
    return _score(0.97, losses, "Nothing in it shows how it was made or speaks to a model.")


def user_actionable(said: JudgedText) -> Answer:
    """Sentences that begin with a verb, dates, owners and a closing call to action raise it."""
    steps = said.imperatives
    cues = [cue for cue in _CUES if cue in said.lowered]
    called = bool(re.search(r"\*\*[^*]+\*\*\s*$", said.text))
    found = 0.09 * min(len(steps), 3) + 0.04 * min(len(cues), 3) + 0.06 * called
    best = min(0.95, 0.62 + found) if steps or cues else 0.4
    missing = [] if steps or cues else [(0.05, "It ends without telling the reader what to do next.")]
    shown = _shown((steps or (next(iter(cues), ""),))[0])
    return _score(best, missing, f"It tells the reader what to do: {shown}.")


CRITERIA: Final = {
    "relevance": relevance,
    "clarity": clarity,
    "tone": tone,
    "no_system_leakage": no_system_leakage,
    "user_actionable": user_actionable,
}
