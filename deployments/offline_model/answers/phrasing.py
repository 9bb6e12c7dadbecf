"""Sentences that several answers share: counts, spans, names, figures in words. Every figure is counted."""

from collections import Counter
from typing import Any

from deployments.offline_model.grouping import Figures, Group, groups_of
from deployments.offline_model.reading import read_events, words_in
from deployments.offline_model.sections import Sections, words_of

KINDS = {
    "feedback.submitted": "feedback",
    "support.transcript": "support conversations",
    "survey.response": "survey answers",
    "system.alert": "system alerts",
    "document.received": "documents",
}
Answer = dict[str, Any]


def counted(count: int, noun: str) -> str:
    """`1 event`, `7 events`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def sentence_case(text: str) -> str:
    """The text with its first letter raised; nothing else is changed."""
    return text[:1].upper() + text[1:]


def without_stop(text: str) -> str:
    """The text without its closing full stop, to be built into a sentence."""
    return text.rstrip().rstrip(".")


def quoted(n: int, quote: str) -> str:
    """An event's words in a sentence: `“...” (event 3)`."""
    return f"“{quote}” (event {n})"


def said_at_end(quote: str) -> str:
    """A quote that ends a sentence: one closing mark, the quote's own where it has one."""
    return f"“{quote}”" if quote.endswith((".", "!", "?")) else f"“{quote}”."


def listed(names: list[str]) -> str:
    """`a, b and c`; empty for no names."""
    if len(names) < 2:  # noqa: PLR2004 - one name needs no "and"
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def whose(sections: Sections) -> str:
    """Whose events these are: the tenant, or the user at the tenant."""
    assignment = sections.get("assignment")
    tenant, user = words_of(assignment.get("tenant")), words_of(assignment.get("user"))
    return f"{user} at {tenant}" if user else tenant or "this account"


def groups_in(sections: Sections) -> tuple[Group, ...]:
    """The groups of the events shown; the tenant's own name is no phrase of theirs."""
    tenant = words_of(sections.get("assignment").get("tenant"))
    return groups_of(read_events(sections.events), frozenset(words_in(tenant.replace("-", " "))))


def span(figures: Figures) -> str:
    """`between 2024-01-02 and 2024-03-04`, `on 2024-01-02`, or nothing where no event has a date."""
    if figures.first is None:
        return ""
    return (
        f"on {figures.first}"
        if figures.first == figures.last
        else f"between {figures.first} and {figures.last}"
    )


def kinds_of(sections: Sections) -> str:
    """How many of which kind: `20 feedback, 3 support conversations`."""
    kinds = Counter(event.kind for event in sections.events)
    ranked = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {KINDS.get(kind, kind or 'of unknown kind')}" for kind, count in ranked)


def feeling(figures: Figures) -> str:
    """What the figures say about mood, rating and urgency, one clause each; empty where there is nothing."""
    said = [
        _part(figures.negative, figures.count, "is a complaint", "are complaints"),
        _part(figures.praise, figures.count, "is praise", "are praise"),
        _part(figures.high, figures.count, "has priority HIGH", "have priority HIGH"),
        f"the average rating is {figures.rating:g} over {figures.rated} rated" if figures.rated else "",
    ]
    return listed([clause for clause in said if clause])


def _part(count: int, total: int, one: str, many: str) -> str:
    return f"{count} of {total} {one if count == 1 else many}" if count else ""


def about(group: Group) -> str:
    """`speaks of waiting time` or `are praise`, as fits the group and its count."""
    one = group.figures.count == 1
    if group.is_praise:
        return "is praise" if one else "are praise"
    return f"{'speaks' if one else 'speak'} of {group.label}"


def share_of(group: Group, total: int) -> str:
    """`7 of 23 events`."""
    return f"{group.figures.count} of {counted(total, 'event')}"
