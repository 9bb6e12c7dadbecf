"""Notice: one message, three audiences. An admin decides, a team lead acts, an end user is thanked and told.

With a `draft` section the notice is edited instead (see `editorial`).
"""

from dataclasses import dataclass
from typing import Any

from deployments.offline_model.answers.editorial import edited
from deployments.offline_model.answers.phrasing import (
    Answer,
    about,
    counted,
    feeling,
    groups_in,
    listed,
    said_at_end,
    sentence_case,
    share_of,
    span,
    whose,
)
from deployments.offline_model.grouping import Group, figures_of
from deployments.offline_model.lexicon import OTHER
from deployments.offline_model.reading import read_events
from deployments.offline_model.sections import Sections, words_of


@dataclass(frozen=True, slots=True)
class News:
    """What there is to tell: the groups, weightiest first, and the advice given, in order."""

    who: str
    scope: str
    total: int
    when: str
    mood: str
    groups: tuple[Group, ...]
    advice: list[dict[str, Any]]
    solutions: list[dict[str, Any]]

    @property
    def first(self) -> Group:
        """What weighs most."""
        return self.groups[0]

    def advised(self, field: str, position: int = 0) -> str:
        """A field of the recommendation at `position`, else what the first group's theme says."""
        if position < len(self.advice):
            return words_of(self.advice[position].get(field))
        known = {"title": self.first.theme.title, "action": self.first.fill(self.first.theme.action)}
        return known.get(field, self.first.severity)


def notice(sections: Sections) -> Answer:
    """The notice for the assignment's audience; the edited draft where there is one."""
    if draft := sections.get("draft"):
        return edited(draft)
    news = _news(sections)
    if not news.groups:
        return {
            "subject": OTHER.label,
            "body": "No events were shown.",
            "call_to_action": "Ask for the events.",
        }
    audience = words_of(sections.get("assignment").get("audience")).replace("_", " ")
    write = {"admin": _admin, "team lead": _team_lead, "end user": _end_user}.get(audience, _team_lead)
    return write(news)


def _news(sections: Sections) -> News:
    readings = read_events(sections.events)
    figures = figures_of(readings)
    return News(
        who=whose(sections),
        scope=words_of(sections.get("assignment").get("scope")),
        total=figures.count,
        when=span(figures),
        mood=feeling(figures),
        groups=groups_in(sections),
        advice=sections.rows("recommendations", "recommendations"),
        solutions=sections.rows("solutions"),
    )


def _admin(news: News) -> Answer:
    first, title = news.first, news.advised("title")
    prepared = listed([words_of(solution.get("form")).replace("_", " ") for solution in news.solutions])
    others = listed([f"{group.label} ({group.figures.count})" for group in news.groups[1:3]])
    body = [
        f"What happened: {news.who} sent {counted(news.total, 'event')} {news.when}".rstrip() + ".",
        f"{sentence_case(news.mood)}." if news.mood else "",
        f"{sentence_case(share_of(first, news.total))} {about(first)}, severity {first.severity}.",
        f"Also named: {others}." if others else "",
        f"Risk: {first.theme.risk}",
        f'Decision needed: whether to start "{title}" (impact {news.advised("impact")}, effort {first.theme.effort}).',
        f"Prepared for it: {prepared}." if prepared else "",
    ]
    return {
        "subject": f"{news.who}: decide on {first.label} ({share_of(first, news.total)})",
        "body": " ".join(part for part in body if part),
        "call_to_action": f'Approve or decline "{title}" and name its owner.',
    }


def _team_lead(news: News) -> Answer:
    first = news.first
    work = "\n".join(f"- {first.fill(action)} ({owner})." for action, owner in first.theme.steps)
    said = " ".join(f"Event {n} says: {said_at_end(quote)}" for n, quote in first.quotes(1))
    body = [
        f"This week's work from {news.who}: {share_of(first, news.total)} {about(first)}. {said}",
        work,
        f"Next in line: {news.advised('title', 1)}." if len(news.advice) > 1 else "",
    ]
    return {
        "subject": f"This week: {sentence_case(first.theme.title).lower()} ({share_of(first, news.total)})",
        "body": "\n\n".join(part for part in body if part),
        "call_to_action": f"Assign the first step today and report the count on {first.label} by the end of the week.",
    }


def _end_user(news: News) -> Answer:
    first = news.first
    said = " ".join(said_at_end(quote) for _, quote in first.quotes(1))
    you = "you" if news.scope == "user" else "you and others"
    if first.figures.alerts:
        opening = (
            f"We are writing about {first.label} reported {span(first.figures)}".rstrip()
            + f". The report says: {said}"
        )
        act = "Install updates when they are offered, and write to us if something looks wrong."
    else:
        opening = f"Thank you for writing to us. What {you} told us: {said}"
        act = "Reply to this message to tell us whether we understood you correctly."
    also = listed([group.label for group in news.groups[1:3]])
    more = f"We also read what {you} said about {also}." if also else ""
    return {
        "subject": f"{'About' if first.figures.alerts else 'Thank you for writing about'} {first.label}",
        "body": " ".join(part for part in (opening, first.theme.change, more) if part),
        "call_to_action": act,
    }
