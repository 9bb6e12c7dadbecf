"""What judge and people say of the same items, side by side, and of how many there is the judge's word alone."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, and_, bindparam, select

from contracts.reviews import ReviewVerdict, SampleKind
from ledger.engine import Ledger
from ledger.review_tables import review_samples, review_scores, reviews
from ledger.sql import reading
from ledger.tables import batches, items, judgements

OVERALL: Final = "overall"
"""The verdict on an item as a whole: 1 for passed, or accepted."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged item: its tenant, the judge's scores by criterion, and people's where anybody has reviewed it.

    Several people's are their means; `is_contested` where they did not agree on the verdict. `overall` is 0 or 1, of
    people their majority's: a tie is a fail, for nothing doubtful is to leave.
    """

    tenant: str
    judge: dict[str, float]
    people: dict[str, float]
    is_contested: bool


def judged_items(ledger: Ledger, kind: SampleKind = SampleKind.RANDOM) -> tuple[Judged, ...]:
    """All judged items, oldest first; with people's verdicts only where the item was drawn for that kind of sample."""
    with reading(ledger) as connection:
        rows = connection.execute(_JUDGEMENTS).all()
        said = _people(connection.execute(_OF_SAMPLE, {"kind": kind.value}).all())
    found: dict[tuple[str, str], Judged] = {}
    for row in rows:
        key = (row.batch_id, row.item)
        if key not in found:
            people, is_contested = said.get(key, ({}, False))
            overall = {OVERALL: float(row.verdict == "passed")}
            found[key] = Judged(row.tenant, overall, people, is_contested)
        if row.score is not None:
            found[key].judge[row.criterion] = row.score
    return tuple(found.values())


def _people(rows: Iterable[Row[Any]]) -> dict[tuple[str, str], tuple[dict[str, float], bool]]:
    verdicts: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    scores: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        key = (row.batch_id, row.item)
        verdicts[key][row.id] = float(ReviewVerdict(row.verdict).is_good)
        if row.criterion is not None:
            scores[key][row.criterion].append(row.score)
    return {key: _means(given.values(), scores[key]) for key, given in verdicts.items()}


def _means(verdicts: Iterable[float], scores: dict[str, list[float]]) -> tuple[dict[str, float], bool]:
    said = list(verdicts)
    overall = {OVERALL: float(sum(said) > len(said) / 2)}
    means = {name: sum(given) / len(given) for name, given in scores.items()}
    return overall | means, len(set(said)) > 1


_JUDGEMENTS: Final = (
    select(
        items.c.batch_id,
        items.c.item,
        items.c.verdict,
        batches.c.tenant,
        judgements.c.criterion,
        judgements.c.score,
    )
    .join_from(items, batches, batches.c.id == items.c.batch_id)
    .join(judgements, and_(judgements.c.batch_id == items.c.batch_id, judgements.c.item == items.c.item))
    .where(items.c.verdict.in_(("passed", "failed")))
    .order_by(items.c.created_at, items.c.batch_id, items.c.item)
)
_OF_SAMPLE: Final = (
    select(
        reviews.c.id,
        reviews.c.batch_id,
        reviews.c.item,
        reviews.c.verdict,
        review_scores.c.criterion,
        review_scores.c.score,
    )
    .join_from(
        reviews,
        review_samples,
        and_(review_samples.c.batch_id == reviews.c.batch_id, review_samples.c.item == reviews.c.item),
    )
    .outerjoin(review_scores, review_scores.c.review_id == reviews.c.id)
    .where(review_samples.c.kind == bindparam("kind"))
    .order_by(reviews.c.id)
)
