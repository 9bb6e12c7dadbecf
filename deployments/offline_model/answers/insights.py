"""InsightReport: what a batch of events says, by group, with counts and the events' own words."""

from deployments.offline_model.answers.phrasing import (
    Answer,
    about,
    counted,
    feeling,
    groups_in,
    kinds_of,
    listed,
    sentence_case,
    share_of,
    span,
    whose,
)
from deployments.offline_model.grouping import Group, figures_of
from deployments.offline_model.reading import read_events
from deployments.offline_model.sections import Sections

MOST_QUOTES = 3


def insight_report(sections: Sections) -> Answer:
    """One insight a group; without events, one that says that none were shown."""
    groups = groups_in(sections)
    if not groups:
        return _nothing()
    total = len(sections.events)
    return {"summary": _summary(sections, groups), "insights": [_insight(group, total) for group in groups]}


def _nothing() -> Answer:
    evidence = [{"event": 0, "quote": "no events"}]
    said = "No events were shown, so there is nothing to report."
    empty = {
        "title": "No events",
        "finding": said,
        "severity": "low",
        "affected_events": 0,
        "evidence": evidence,
    }
    return {"summary": said, "insights": [empty]}


def _summary(sections: Sections, groups: tuple[Group, ...]) -> str:
    figures = figures_of(read_events(sections.events))
    opening = f"{whose(sections)}: {counted(figures.count, 'event')} {span(figures)}".rstrip()
    named = listed([f"{group.label} ({group.figures.count})" for group in groups[:3]])
    mood = feeling(figures)
    return " ".join(
        [
            f"{opening} ({kinds_of(sections)}).",
            f"Named most: {named}.",
            f"{sentence_case(mood)}." if mood else "",
            f"Look first at {groups[0].label}.",
        ]
    ).replace("  ", " ")


def _insight(group: Group, total: int) -> Answer:
    quotes = [{"event": n, "quote": quote} for n, quote in group.quotes(MOST_QUOTES)]
    return {
        "title": f"{sentence_case(group.label)}: {share_of(group, total)}",
        "finding": _finding(group, total),
        "severity": group.severity,
        "affected_events": group.figures.count,
        "evidence": quotes,
    }


def _finding(group: Group, total: int) -> str:
    when, mood = span(group.figures), feeling(group.figures)
    topics = [f"{name} ({count})" for name, count in group.topics[:3] if name != group.label]
    phrases = [f'"{phrase}" ({counted(count, "event")})' for phrase, count in group.phrases]
    return " ".join(
        part
        for part in (
            f"{share_of(group, total)} {about(group)}{f' {when}' if when else ''}.",
            f"By topic: {listed(topics)}." if topics else "",
            f"Named repeatedly: {listed(phrases)}." if phrases else "",
            f"{sentence_case(mood)}." if mood else "",
            f"Identifiers: {group.ids}." if group.identifiers else "",
        )
        if part
    )
