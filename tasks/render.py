"""Generated content as markdown: what the judge reads, people receive and the Prefect UI shows."""

from functools import singledispatch

from contracts.base import Contract
from contracts.content import (
    ActionPlan,
    Classification,
    DocumentSummary,
    InsightReport,
    Notice,
    RecommendationReport,
    SolutionDocument,
    StructuredReport,
)


def title_of(content: Contract, fallback: str) -> str:
    """The content's own title or subject, else `fallback`."""
    return str(getattr(content, "title", None) or getattr(content, "subject", None) or fallback)


@singledispatch
def markdown(content: Contract) -> str:
    """`content` as markdown; TypeError for a type nobody taught to render."""
    raise TypeError(f"no markdown for {type(content).__name__}: register one in tasks.render")


@markdown.register
def _(content: InsightReport) -> str:
    parts = ["# What the events say", content.summary]
    for insight in content.insights:
        shown = f"{insight.affected_events} event{'s' if insight.affected_events != 1 else ''}"
        parts += [f"## {insight.title}", f"*{insight.severity} severity, {shown}*", insight.finding]
        parts.append(
            "\n".join(f"> {evidence.quote} (event {evidence.event})\n" for evidence in insight.evidence)
        )
    return _joined(parts)


@markdown.register
def _(content: RecommendationReport) -> str:
    parts = ["# What to do", content.summary]
    for rank, advice in enumerate(content.recommendations, start=1):
        parts += [
            f"## {rank}. {advice.title}",
            advice.action,
            f"*Why:* {advice.rationale}",
            f"*Impact:* {advice.impact}. *Effort:* {advice.effort}.",
        ]
    return _joined(parts)


@markdown.register
def _(content: SolutionDocument) -> str:
    parts = [f"# {content.title}", content.summary]
    for section in content.sections:
        parts += [f"## {section.heading}", section.body]
    return _joined(parts)


@markdown.register
def _(content: ActionPlan) -> str:
    parts = [f"# {content.title}", f"**Goal:** {content.goal}", "## Steps"]
    parts.append(
        "\n".join(
            f"{rank}. {step.action}\n   - Owner: {step.owner}\n   - Due: {step.due}\n"
            f"   - Done when: {step.done_when}"
            for rank, step in enumerate(content.steps, start=1)
        )
    )
    if content.risks:
        parts += ["## Risks", _bullets(content.risks)]
    return _joined(parts)


@markdown.register
def _(content: StructuredReport) -> str:
    rows = "\n".join(f"| {metric.name} | {metric.value:g} | {metric.unit} |" for metric in content.metrics)
    return _joined(
        [
            f"# {content.title}",
            content.summary,
            f"| Metric | Value | Unit |\n| --- | ---: | --- |\n{rows}",
            "## Findings",
            _bullets(content.findings),
            "## Next steps",
            _bullets(content.next_steps),
        ]
    )


@markdown.register
def _(content: Notice) -> str:
    return _joined([f"# {content.subject}", content.body, f"**{content.call_to_action}**"])


@markdown.register
def _(content: DocumentSummary) -> str:
    step = f"**Next step:** {content.next_step}"
    return _joined(
        [f"# {content.title}", content.summary, "## Key points", _bullets(content.key_points), step]
    )


@markdown.register
def _(content: Classification) -> str:
    tags = ", ".join(content.tags) or "none"
    return _joined(
        [
            f"# Category: {content.category}",
            content.reason,
            f"*Tags:* {tags}",
            f"**Next step:** {content.next_step}",
        ]
    )


def _bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"
