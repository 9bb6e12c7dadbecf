"""The pipelines: ordered lists of stages. A new one is a line here, a stage module and its prompts."""

from dataclasses import dataclass
from typing import Final

from ledger.pauses import ALL, DELIVERY
from tasks.stages import documents, editorial, insights, notices, recommendations, solutions
from tasks.stages.base import Stage


@dataclass(frozen=True)
class Pipeline:
    """The stages a batch passes between context validation and broadcast."""

    name: str
    stages: tuple[Stage, ...]


class UnknownPipelineError(Exception):
    """A batch names a pipeline that is not in the list."""


_ALL = (
    Pipeline(
        "insights",
        (insights.STAGE, recommendations.STAGE, solutions.STAGE, notices.STAGE, editorial.STAGE),
    ),
    Pipeline("documents", (documents.SUMMARISE, documents.CLASSIFY)),
)

PIPELINES = {pipeline.name: pipeline for pipeline in _ALL}


PAUSABLE: Final = frozenset(
    {ALL, DELIVERY, *(stage.name for pipeline in PIPELINES.values() for stage in pipeline.stages)}
)
"""What can be paused: every stage, delivery, and all of it."""


def pipeline_named(name: str) -> Pipeline:
    """The pipeline called `name`; `UnknownPipelineError` lists those that exist."""
    if name not in PIPELINES:
        raise UnknownPipelineError(f"no pipeline is called '{name}'; there are {', '.join(PIPELINES)}")
    return PIPELINES[name]
