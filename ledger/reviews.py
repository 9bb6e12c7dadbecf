"""Reviews on record: one of each person for each item; and samples of what is to be reviewed.

A sample by chance is drawn from all judged items, whatever the judge said of them. What judge and people disagree
about is a sample of its own: it shows where to look, and says nothing of how often anything is so.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, select, true

from contracts.reviews import Review, ReviewVerdict, SampleKind
from ledger.engine import Ledger
from ledger.errors import LedgerError
from ledger.review_tables import review_samples, review_scores, reviews
from ledger.sql import insert_once, reading, writing
from ledger.tables import batches, items, judgements


class UnknownItemError(LedgerError):
    """There is no such item, or it has not been judged."""


class ReviewedBeforeError(LedgerError):
    """This person has reviewed this item already."""


@dataclass(frozen=True, slots=True)
class ToReview:
    """An item that was drawn, what it says, and how many have reviewed it."""

    batch: str
    item: str
    tenant: str
    kind: str
    form: str
    output_type: str
    content: dict[str, Any]
    reviews: int


def record_review(ledger: Ledger, review: Review, now: datetime) -> None:
    """Keep a review.

    Raises:
        UnknownItemError: there is no such judged item, or a criterion that it was not judged by.
        ReviewedBeforeError: the same person has reviewed it before; the first review stands.
    """
    with writing(ledger, "reviews") as connection:
        _check(connection, review)
        values = {
            "batch_id": review.batch,
            "item": review.item,
            "reviewer": review.reviewer,
            "verdict": review.verdict.value,
            "edited": review.edited,
            "comment": review.comment,
            "at": now,
        }
        made = connection.execute(insert(reviews).values(values).returning(reviews.c.id)).scalar_one()
        rows = [
            {"review_id": made, "criterion": name, "score": score} for name, score in review.scores.items()
        ]
        insert_once(connection, review_scores, rows)


def _check(connection: Connection, review: Review) -> None:
    judged = (judgements.c.batch_id == review.batch) & (judgements.c.item == review.item)
    criteria = set(connection.execute(select(judgements.c.criterion).where(judged)).scalars())
    if not criteria:
        raise UnknownItemError(f"no judged item {review.item!r} is in the batch {review.batch!r}")
    if unknown := sorted(review.scores.keys() - criteria):
        raise UnknownItemError(
            f"{review.item!r} was not judged by {', '.join(unknown)}; there are {', '.join(sorted(criteria))}"
        )
    mine = and_(
        reviews.c.batch_id == review.batch,
        reviews.c.item == review.item,
        reviews.c.reviewer == review.reviewer,
    )
    if connection.execute(select(reviews.c.id).where(mine)).first() is not None:
        raise ReviewedBeforeError(
            f"{review.reviewer} has reviewed {review.item!r} of {review.batch!r} before; the first review stands"
        )


def draw_sample(ledger: Ledger, kind: SampleKind, size: int, seed: int, now: datetime) -> int:
    """Draw so many more items for review, none twice; how many there were to draw. The same seed draws the same."""
    with writing(ledger, "reviews") as connection:
        candidates = [tuple(row) for row in connection.execute(_not_drawn(kind))]
        chosen = random.Random(seed).sample(candidates, min(size, len(candidates)))  # noqa: S311 - a sample
        rows = [
            {"batch_id": batch, "item": item, "kind": kind.value, "drawn_at": now} for batch, item in chosen
        ]
        insert_once(connection, review_samples, rows)
    return len(chosen)


def _not_drawn(kind: SampleKind) -> Select[Any]:
    """Judged items that are not in the sample yet; of a disagreement those about which judge and a person differ."""
    drawn = (
        select(review_samples.c.item)
        .where(
            review_samples.c.batch_id == items.c.batch_id,
            review_samples.c.item == items.c.item,
            review_samples.c.kind == kind.value,
        )
        .exists()
    )
    query = select(items.c.batch_id, items.c.item).where(items.c.verdict.in_(("passed", "failed")), ~drawn)
    if kind is SampleKind.DISAGREEMENT:
        says_good = reviews.c.verdict == ReviewVerdict.ACCEPT.value
        differ = (items.c.verdict == "passed") != says_good
        same = and_(reviews.c.batch_id == items.c.batch_id, reviews.c.item == items.c.item)
        query = query.where(select(reviews.c.id).where(same, differ).exists())
    return query.order_by(items.c.batch_id, items.c.item)


def to_review(ledger: Ledger, reviewer: str, limit: int, tenant: str | None = None) -> tuple[ToReview, ...]:
    """What was drawn (of a tenant) and this person has not reviewed, oldest first; not what the judge said of it."""
    mine = select(reviews.c.id).where(
        reviews.c.batch_id == review_samples.c.batch_id,
        reviews.c.item == review_samples.c.item,
        reviews.c.reviewer == reviewer,
    )
    of_item = and_(reviews.c.batch_id == items.c.batch_id, reviews.c.item == items.c.item)
    count = select(func.count()).where(of_item).correlate(items).scalar_subquery()
    query = (
        select(items, batches.c.tenant, count.label("reviews"))
        .join_from(
            review_samples,
            items,
            and_(items.c.batch_id == review_samples.c.batch_id, items.c.item == review_samples.c.item),
        )
        .join(batches, batches.c.id == items.c.batch_id)
        .where(~mine.exists(), true() if tenant is None else batches.c.tenant == tenant)
        .order_by(review_samples.c.drawn_at, items.c.batch_id, items.c.item)
        .limit(limit)
    )
    with reading(ledger) as connection:
        return tuple(
            ToReview(
                *(row.batch_id, row.item, row.tenant, row.kind, row.form),
                *(row.output_type, row.content, row.reviews),
            )
            for row in connection.execute(query)
        )
