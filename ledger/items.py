"""Generated items: each has a draft, then a verdict with its scores. What was committed is not made again."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

import orjson
from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from contracts.calls import Reply
from contracts.versions import CURRENT, upgraded
from ledger.calls import settle as settle_within
from ledger.engine import Ledger
from ledger.news import tell_of_batch
from ledger.sql import Writable, insert_once, reading, writing
from ledger.tables import items, judgements

Verdict = Literal["passed", "failed", "unscored"]
"""`unscored`: the judge failed, which says nothing about the item; it may be judged again."""

Settlement = tuple[str, Reply]
"""A call's id and the answer it brought, settled in the transaction that stores what was made of it."""

# Every item runs these: built once, as in `ledger.calls`.
_OUTDATED: Final = delete(items).where(
    items.c.batch_id == bindparam("of_batch"),
    items.c.item == bindparam("of_item"),
    items.c.prompt_version != bindparam("version"),
)
_JUDGED: Final = update(items).where(
    items.c.batch_id == bindparam("of_batch"),
    items.c.item == bindparam("of_item"),
    or_(items.c.verdict.is_(None), items.c.verdict == "unscored"),
)
_SCORES_GONE: Final = delete(judgements).where(
    judgements.c.batch_id == bindparam("of_batch"), judgements.c.item == bindparam("of_item")
)
_NEW_SCORES: Final = insert(judgements)
_DRAFTS: Final = (
    select(items).where(items.c.batch_id == bindparam("of_batch")).order_by(items.c.created_at, items.c.item)
)
_SCORES: Final = (
    select(judgements).where(judgements.c.batch_id == bindparam("of_batch")).order_by(judgements.c.criterion)
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A generated item; `item` names it within its batch, `content` is its typed output as a JSON object."""

    item: str
    stage: str
    kind: str
    form: str
    output_type: str
    content: dict[str, Any]
    prompt: str
    prompt_version: str
    model: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One criterion's judgement of one item: `score` 0..1 and whether it passed, None where it is unscored."""

    criterion: str
    score: float | None
    threshold: float
    passed: bool | None
    reason: str
    judge_model: str
    rubric_version: str


@dataclass(frozen=True, slots=True)
class StoredItem(Draft):
    """An item as the ledger holds it: its draft, and its verdict with the judgements once it has been judged."""

    created_at: datetime
    verdict: Verdict | None
    judged_at: datetime | None
    judgements: tuple[ScoreRow, ...]

    @property
    def content_json(self) -> bytes:
        """The content as JSON."""
        return orjson.dumps(self.content)

    @property
    def scores(self) -> dict[str, float]:
        """Score by criterion; an unscored criterion is left out."""
        return {one.criterion: one.score for one in self.judgements if one.score is not None}

    @property
    def judge_model(self) -> str:
        """The model that judged; LookupError while nothing has been scored."""
        return self._judgement().judge_model

    @property
    def rubric_version(self) -> str:
        """The version of the rubric it was judged by; LookupError while nothing has been scored."""
        return self._judgement().rubric_version

    def _judgement(self) -> ScoreRow:
        if not self.judgements:
            raise LookupError(f"the item {self.item} has no judgement: ask only once it has been scored")
        return self.judgements[0]


def store_draft(
    ledger: Writable, batch_id: str, draft: Draft, now: datetime, settle: Settlement | None = None
) -> None:
    """Store a draft and settle the call that brought it, together.

    A draft stored before by the same prompt version is left as it is. One of another version is replaced, and
    its verdict goes with it: it was about other words.
    """
    row = asdict(draft) | {"batch_id": batch_id, "created_at": now, "schema_version": CURRENT["item"]}
    with writing(ledger) as connection:
        _settle(connection, settle, now)
        _drop_outdated(connection, batch_id, draft)
        insert_once(connection, items, row)


def store_verdict(
    ledger: Writable,
    batch_id: str,
    item: str,
    verdict: Verdict,
    scores: Sequence[ScoreRow],
    now: datetime,
    settle: Settlement | None = None,
) -> None:
    """Store an item's verdict with its scores and settle the judge's call, together.

    A verdict stands: only an unscored item can be given another one, whose scores replace the first.
    """
    with writing(ledger) as connection:
        _settle(connection, settle, now)
        given = {"verdict": verdict, "judged_at": now}
        judged = connection.execute(_JUDGED, given | {"of_batch": batch_id, "of_item": item})
        if judged.rowcount:
            _replace_scores(connection, batch_id, item, scores, now)
            given_scores = {one.criterion: one.score for one in scores}
            told = {"item": item, "verdict": verdict, "scores": given_scores}
            tell_of_batch(connection, batch_id, "item.judged", told, now)


def read_items(ledger: Ledger, batch_id: str) -> tuple[StoredItem, ...]:
    """Everything generated for the batch so far, in the order of its making."""
    which = {"of_batch": batch_id}
    by_item: dict[str, list[ScoreRow]] = defaultdict(list)
    with reading(ledger) as connection:
        for row in connection.execute(_SCORES, which):
            by_item[row.item].append(_score(row))
        return tuple(_stored(row, by_item[row.item]) for row in connection.execute(_DRAFTS, which))


def _settle(connection: Connection, settlement: Settlement | None, now: datetime) -> None:
    if settlement is not None:
        settle_within(connection, *settlement, now)


def _drop_outdated(connection: Connection, batch_id: str, draft: Draft) -> None:
    """Remove the draft of this name that another prompt version made, and its judgements."""
    which = {"of_batch": batch_id, "of_item": draft.item}
    outdated = connection.execute(_OUTDATED, which | {"version": draft.prompt_version})
    if outdated.rowcount:
        _delete_scores(connection, batch_id, draft.item)


def _replace_scores(
    connection: Connection, batch_id: str, item: str, scores: Sequence[ScoreRow], now: datetime
) -> None:
    _delete_scores(connection, batch_id, item)
    rows = [asdict(score) | {"batch_id": batch_id, "item": item, "at": now} for score in scores]
    if rows:
        connection.execute(_NEW_SCORES, rows)


def _delete_scores(connection: Connection, batch_id: str, item: str) -> None:
    connection.execute(_SCORES_GONE, {"of_batch": batch_id, "of_item": item})


def _score(row: Row[Any]) -> ScoreRow:
    return ScoreRow(**{field.name: getattr(row, field.name) for field in fields(ScoreRow)})


def _stored(row: Row[Any], scores: Sequence[ScoreRow]) -> StoredItem:
    values = {
        field.name: getattr(row, field.name) for field in fields(StoredItem) if field.name != "judgements"
    }
    values["content"] = upgraded("item", row.schema_version, row.content)
    return StoredItem(**values, judgements=tuple(scores))
