"""RecommendationReport: for each insight the action its theme calls for, filled from the events."""

from typing import Any

from deployments.offline_model.answers.phrasing import (
    Answer,
    counted,
    groups_in,
    listed,
    quoted,
    share_of,
    whose,
    without_stop,
)
from deployments.offline_model.grouping import Group, group_named
from deployments.offline_model.lexicon import OTHER
from deployments.offline_model.reading import cut
from deployments.offline_model.sections import Sections, words_of

MOST_RECOMMENDATIONS = 5


def recommendation_report(sections: Sections) -> Answer:
    """One recommendation an insight, in the insights' order; without insights, one a group of events."""
    groups = groups_in(sections)
    insights = sections.rows("insights", "insights")[:MOST_RECOMMENDATIONS]
    total = len(sections.events)
    advice = [_from_insight(insight, groups, total) for insight in insights]
    advice = advice or [_from_group(group, total) for group in groups] or [_unknown()]
    titles = listed([advised["title"] for advised in advice[:3]])
    summary = f"For {whose(sections)}: {counted(len(advice), 'recommendation')}. Begin with: {titles}."
    return {"summary": summary, "recommendations": advice}


def _from_insight(insight: dict[str, Any], groups: tuple[Group, ...], total: int) -> Answer:
    title, finding = words_of(insight.get("title")), words_of(insight.get("finding"))
    group = group_named(groups, title, finding)
    if group is None:
        return _unknown(without_stop(title))
    severity = words_of(insight.get("severity"))
    return _advice(group, total, severity if severity in {"high", "medium", "low"} else group.severity)


def _from_group(group: Group, total: int) -> Answer:
    return _advice(group, total, group.severity)


def _advice(group: Group, total: int, impact: str) -> Answer:
    said = " and ".join(quoted(n, quote) for n, quote in group.quotes(1))
    return {
        "title": group.theme.title,
        "action": f"{group.fill(group.theme.action)}.",
        "rationale": (
            f"Answers the finding on {group.label}: {share_of(group, total)}, "
            f"for example {said}. For the people concerned it means: {group.theme.change}"
        ),
        "impact": impact,
        "effort": group.theme.effort,
    }


def _unknown(title: str = "the insights") -> Answer:
    return {
        "title": f"{OTHER.title} {cut(title, 80) or 'the insights'}",
        "action": f"Investigate {cut(title, 80) or 'the insights'} with the people concerned.",
        "rationale": "No events were shown with it, so the cause must be found first.",
        "impact": "low",
        "effort": OTHER.effort,
    }
