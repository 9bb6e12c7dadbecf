"""SolutionDocument, ActionPlan and StructuredReport: one recommendation worked out from its events."""

from collections.abc import Callable
from dataclasses import dataclass

from deployments.offline_model.answers.phrasing import (
    Answer,
    about,
    counted,
    feeling,
    groups_in,
    quoted,
    sentence_case,
    share_of,
    span,
    whose,
)
from deployments.offline_model.grouping import Group, group_named
from deployments.offline_model.lexicon import OTHER
from deployments.offline_model.sections import Sections, words_of

DUE = {
    "high": ("2 days", "1 week", "2 weeks"),
    "medium": ("1 week", "2 weeks", "1 month"),
    "low": ("2 weeks", "1 month", "2 months"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A recommendation with the events behind it: `title` and `action` as advised, `total` events in all."""

    who: str
    title: str
    action: str
    rationale: str
    impact: str
    group: Group
    total: int

    @property
    def share(self) -> str:
        """`7 of 23 events`."""
        return share_of(self.group, self.total)

    @property
    def target(self) -> str:
        """What success is measured by: half as many of the next events, or as much praise again."""
        count, following = self.group.figures.count, f"of the next {counted(self.total, 'event')}"
        if self.group.is_praise:
            return f"at least {count} {following} are praise again"
        return f"at most {count // 2} {following} speak of {self.group.label}, down from {count}"


def _case(sections: Sections) -> Case | None:
    advised = sections.get("recommendation")
    title, action = words_of(advised.get("title")), words_of(advised.get("action"))
    rationale = words_of(advised.get("rationale"))
    group = group_named(groups_in(sections), title, rationale, action)
    if group is None:
        return None
    impact = words_of(advised.get("impact"))
    return Case(
        who=whose(sections),
        title=title or group.theme.title,
        action=action or f"{group.fill(group.theme.action)}.",
        rationale=rationale or f"{share_of(group, len(sections.events))} {about(group)}.",
        impact=impact if impact in DUE else group.severity,
        group=group,
        total=len(sections.events),
    )


def _either(sections: Sections, write: Callable[[Case], Answer], nothing: Answer) -> Answer:
    case = _case(sections)
    return write(case) if case else nothing


def solution_document(sections: Sections) -> Answer:
    """A document: situation, evidence, proposal, how to tell; says so where no events were shown."""
    section = {"heading": "What is missing", "body": "No events were shown; ask for them first."}
    nothing = {"title": OTHER.title, "summary": "No events were shown.", "sections": [section]}
    return _either(sections, _document, nothing)


def action_plan(sections: Sections) -> Answer:
    """A plan: the theme's steps with owners, due by impact, each with a check that can be counted."""
    step = {
        "action": "Ask for the events",
        "owner": "Team lead",
        "due": "within 2 days",
        "done_when": "The events are shown",
    }
    nothing = {"title": OTHER.title, "goal": "No events were shown.", "steps": [step], "risks": []}
    return _either(sections, _plan, nothing)


def structured_report(sections: Sections) -> Answer:
    """A report: counts of the events behind the recommendation, findings and next steps."""
    metric = {"name": "Events", "value": 0, "unit": "events"}
    asked = {"findings": ["No events were shown."], "next_steps": ["Ask for the events."]}
    nothing = {"title": OTHER.title, "summary": "No events were shown.", "metrics": [metric], **asked}
    return _either(sections, _report, nothing)


def _document(case: Case) -> Answer:
    group = case.group
    said = [f"- {quoted(n, quote)}" for n, quote in group.quotes(4)]
    work = [
        f"- {owner}: {group.fill(action)}, within {due}."
        for (action, owner), due in zip(group.theme.steps, DUE[case.impact], strict=True)
    ]
    sections = [
        ("The situation", f"{_situation(case)} {case.rationale}"),
        ("What the alerts say" if group.figures.alerts else "What people say", "\n".join(said)),
        ("What to change", f"{case.action} {group.theme.risk}"),
        ("How it works in practice", "\n".join(work)),
        (
            "How to tell that it worked",
            f"It worked when {case.target}. Count again after {DUE[case.impact][2]}.",
        ),
    ]
    return {
        "title": f"{case.title}: a proposal for {case.who}",
        "summary": f"{case.share} {about(group)}. {case.action}",
        "sections": [{"heading": heading, "body": body} for heading, body in sections],
    }


def _situation(case: Case) -> str:
    when, mood = span(case.group.figures), feeling(case.group.figures)
    opening = f"{case.share} {about(case.group)}{f' {when}' if when else ''}."
    return f"{opening} {sentence_case(mood)}." if mood else opening


def _plan(case: Case) -> Answer:
    group, count = case.group, case.group.figures.count
    topics = len(group.topics) or 1
    checks = (
        f"Each of the {counted(count, 'event')} counted is on the list with an owner",
        f"The change is in place for {'the topic' if topics == 1 else f'each of the {topics} topics'} named",
        sentence_case(case.target),
    )
    steps = [
        {"action": group.fill(action), "owner": owner, "due": f"within {due}", "done_when": check}
        for (action, owner), due, check in zip(group.theme.steps, DUE[case.impact], checks, strict=True)
    ]
    return {
        "title": f"{case.title}: plan for {case.who}",
        "goal": f"Today {case.share} {about(group)}; the goal is that {case.target}.",
        "steps": steps,
        "risks": [group.theme.risk],
    }


def _report(case: Case) -> Answer:
    group, figures = case.group, case.group.figures
    rows = [
        ("Events in the batch", case.total, "events"),
        (f"Events on {group.label}", figures.count, "events"),
        ("Share of the batch", round(100 * group.share, 1), "percent"),
        ("Priority HIGH among them", figures.high, "events"),
    ]
    rows += [] if figures.alerts else [("Complaints among them", figures.negative, "events")]
    rows += [] if figures.rating is None else [("Average rating as given", figures.rating, "rating")]
    rows += [(f"Topic {name}", count, "events") for name, count in group.topics[:3]]
    quotes = [f"In the events' own words: {quoted(n, quote)}." for n, quote in group.quotes(2)]
    return {
        "title": f"{case.title}: figures for {case.who}",
        "summary": f"{_situation(case)} {case.action}",
        "metrics": [{"name": name, "value": value, "unit": unit} for name, value, unit in rows],
        "findings": [_situation(case), *quotes],
        "next_steps": [f"{group.fill(action)} ({owner})." for action, owner in group.theme.steps],
    }
