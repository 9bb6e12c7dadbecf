"""DocumentSummary and Classification: a received document in brief, and where it belongs."""

from collections import Counter
from typing import Final

from deployments.offline_model.answers.phrasing import Answer, listed
from deployments.offline_model.reading import cut, sentence_of, sentences_in, terms_of, words_in, worth_of
from deployments.offline_model.sections import Sections, words_of

READ_CHARACTERS: Final = 20_000
MOST_POINTS: Final = 5
CATEGORIES: Final = {
    "complaint": "complaint complain unacceptable refund apology disappointed unfair wrong poor refused damaged",
    "request": "request please could would ask asking apply application need provide send quote order inquiry",
    "incident": "incident outage failure failed breach alert vulnerability downtime error crash emergency accident",
    "report": "report results quarter findings summary figures analysis survey review measured statistics annual",
    "contract": "contract agreement party parties clause term terms liability hereby termination signed obligations",
}
STEPS: Final = {
    "complaint": "Answer the complaint in writing and name the person who handles it.",
    "request": "Forward the request to the team that can fulfil it and confirm the date.",
    "incident": "Open an incident, name its owner and tell the people affected.",
    "report": "Send the report to the team it concerns and note the figures that changed.",
    "contract": "Send the contract to legal review and record its dates.",
    "other": "Read the document and assign it to the team it concerns.",
}


def _document(sections: Sections) -> tuple[str, str]:
    document = sections.get("document")
    return words_of(document.get("title")).strip(), words_of(document.get("text"))[:READ_CHARACTERS]


def document_summary(sections: Sections) -> Answer:
    """The opening, the most telling sentences in order of worth, and how long the text is."""
    title, text = _document(sections)
    lines = list(dict.fromkeys(sentences_in(text)))
    if not lines:
        said = "The document has no text."
        return {
            "title": cut(title, 100) or "Untitled document",
            "summary": said,
            "key_points": [said],
            "next_step": "Ask the sender for the document's text.",
        }
    named = Counter(term for line in lines for term in terms_of(words_in(line)) if " " not in term)
    telling = frozenset(term for term, count in named.most_common(8) if count > 1)
    ranked = sorted(lines, key=lambda line: (-worth_of(sentence_of(line), telling), lines.index(line)))
    about = listed(sorted(telling)[:5])
    length = f"The document has {len(lines)} sentences{f'; it returns to {about}' if about else ''}."
    return {
        "title": cut(title, 100) or cut(lines[0], 100),
        "summary": " ".join(
            [cut(lines[0], 300), *(cut(line, 300) for line in ranked[:2] if line != lines[0]), length]
        ),
        "key_points": [cut(line, 240) for line in ranked[:MOST_POINTS]],
        "next_step": STEPS[_category(_hits(title, text))],
    }


def classification(sections: Sections) -> Answer:
    """The category whose words the document uses most, with the sentence that shows it."""
    title, text = _document(sections)
    hits = _hits(title, text)
    category = _category(hits)
    words = Counter(words_in(f"{title} {text}"))
    named = terms_of(words_in(f"{title} {text}"))
    common = sorted((term for term in named if " " not in term), key=lambda term: (-words[term], term))
    return {
        "category": category,
        "reason": _reason(category, hits.get(category, 0), sentences_in(text) or [title or "no text"]),
        "tags": common[:4],
        "next_step": STEPS[category],
    }


def _hits(title: str, text: str) -> dict[str, int]:
    """How often the words of each category occur; the title counts twice."""
    words = Counter(words_in(f"{title} {title} {text}"))
    return {name: sum(words[word] for word in listing.split()) for name, listing in CATEGORIES.items()}


def _category(hits: dict[str, int]) -> str:
    return max(hits, key=lambda name: hits[name]) if any(hits.values()) else "other"


def _reason(category: str, hits: int, lines: list[str]) -> str:
    if not hits:
        return f"No word of a known category occurs; it begins “{cut(lines[0], 120)}”."
    telling = frozenset(CATEGORIES[category].split())
    shown = max(
        lines,
        key=lambda line: (len(telling.intersection(words_in(line))), worth_of(sentence_of(line), telling)),
    )
    return f"Words of a {category} occur {hits} times, as in “{cut(shown, 160)}”."
