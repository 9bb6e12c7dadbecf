"""What every stage works with: the batch's context, the items planned and made, the options in force."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.base import Contract
from contracts.batches import Batch, BatchWork
from contracts.deliverables import DeliverableKind
from contracts.events import Event
from tasks.prompts import Prompt


@dataclass(frozen=True)
class ItemSpec:
    """One thing to generate: what it is, from which prompt and sections, as which type.

    `name` is unique in the batch and stable over restarts. `is_delivered` is False for drafts that a later
    stage replaces; those are judged all the same. `event` is the 1-based number of the one event it is made
    from; None where it is made from all.
    """

    name: str
    stage: str
    kind: DeliverableKind
    form: str
    audience: str | None
    prompt: Prompt
    sections: Mapping[str, Any]
    output: type[Contract]
    is_delivered: bool = True
    event: int | None = None

    @property
    def label(self) -> str:
        """What a person calls it: `solution: action plan`."""
        return f"{self.kind}: {self.form.replace('_', ' ')}"


@dataclass(frozen=True)
class Item:
    """A generated item that passed the gate; `scores` are the judge's by criterion."""

    spec: ItemSpec
    content: Contract
    scores: Mapping[str, float]


@dataclass(frozen=True)
class BatchContext:
    """All a stage may know: the claimed batch with its events, these as prompts show them, the items so far."""

    work: BatchWork
    shown: tuple[Mapping[str, Any], ...]
    items: tuple[Item, ...] = ()

    @property
    def batch(self) -> Batch:
        """The batch that is worked on."""
        return self.work.batch

    @property
    def events(self) -> tuple[Event, ...]:
        """Its events, in ledger order."""
        return self.work.events

    def from_stage(self, stage: str) -> tuple[Item, ...]:
        """The items that `stage` made, in its order."""
        return tuple(item for item in self.items if item.spec.stage == stage)

    def with_items(self, items: tuple[Item, ...]) -> "BatchContext":
        """The context after another stage."""
        return replace(self, items=self.items + items)

    def assignment(self, stage: str, form: str, audience: str | None = None) -> dict[str, Any]:
        """The section that tells a prompt whose events these are and what is wanted."""
        return {
            "tenant": self.batch.tenant,
            "user": self.batch.user,
            "scope": str(self.batch.scope),
            "level": str(self.batch.level),
            "stage": stage,
            "form": form,
            "audience": audience,
        }


@dataclass(frozen=True)
class StageOptions:
    """What an operator chooses about the stages."""

    top_recommendations: int
    solution_forms: tuple[str, ...]
    audiences: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A named step. `plan` says what to generate; a stage that reserves draws on the solution throttle."""

    name: str
    plan: Callable[[BatchContext, StageOptions], tuple[ItemSpec, ...]]
    reserves_solutions: bool = False


def as_json(content: Contract) -> dict[str, Any]:
    """Content as a prompt section shows it."""
    return content.model_dump(mode="json")
