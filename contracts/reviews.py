"""Reviews: what a person says of a generated item. Labels by which the judge is judged."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.base import Contract

Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Reviewer = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class ReviewVerdict(StrEnum):
    """What is to become of the item: it is good, it is good once changed, or it is not."""

    ACCEPT = "accept"
    EDIT = "edit"
    REJECT = "reject"

    @property
    def is_good(self) -> bool:
        """Whether the item as it stands may leave: an edit says that it may not."""
        return self is ReviewVerdict.ACCEPT


class SampleKind(StrEnum):
    """Why an item was to be reviewed: by chance, or because judge and people disagree about it.

    Only what was drawn by chance says anything of all items; the two are never mixed.
    """

    RANDOM = "random"
    DISAGREEMENT = "disagreement"


class Review(Contract):
    """One person's review of one item; `scores` by criterion, 0 to 1, where they gave any."""

    batch: str
    item: str
    reviewer: Reviewer
    verdict: ReviewVerdict
    scores: dict[str, Score] = Field(default_factory=dict)
    edited: str | None = None
    comment: str | None = None
