"""Which facts the lake gets, and from where: tables by name, in the order of an event's road.

A row belongs to the day it was made (a judgement to the day it was judged), and may still change later: a
batch's state, an item's verdict. Content stays in the ledger. Columns carry their unit (`_usd`, `_ms`), counts
begin with `n_`, truths with `is_`, times end in `_at`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, FromClause, String, case, func

from contracts.events import Priority
from ledger.outcome_tables import dead_letters, deliverables, outbox, promotions, solution_reservations
from ledger.tables import (
    batch_events,
    batch_history,
    batches,
    events,
    intakes,
    items,
    judgements,
    model_calls,
    rejections,
    stage_runs,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Where a table's rows come from, the time that gives each its day, and its columns by name, in order."""

    source: FromClause
    made_at: Column[datetime]
    columns: Mapping[str, ColumnElement[Any]]


_WHOSE = ("tenant", "user", "level", "scope")


def _columns(*groups: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    return {name: column for group in groups for name, column in group.items()}


def _of(table: FromClause, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: table.c[name] for name in names}


_ITEMS = items.join(batches, items.c.batch_id == batches.c.id)

FACTS: Final[dict[str, Facts]] = {
    "intakes": Facts(
        intakes,
        intakes.c.at,
        _columns(
            {"intake_id": intakes.c.id},
            _of(intakes, "origin"),
            {f"n_{name}": intakes.c[name] for name in ("read", "accepted", "duplicates", "rejected")},
            {"read_at": intakes.c.at},
        ),
    ),
    "events": Facts(
        events,
        events.c.accepted_at,
        _columns(
            {"event_seq": events.c.seq},
            _of(events, "tenant", "user", "kind"),
            {
                "priority": case(
                    {priority.rank: priority.value for priority in Priority}, value=events.c.priority
                )
            },
            _of(events, "pipeline", "topic", "tokens", "occurred_at", "accepted_at"),
        ),
    ),
    "rejections": Facts(
        rejections,
        rejections.c.at,
        _columns(
            {"rejection_id": rejections.c.id},
            _of(rejections, "origin", "line", "reason"),
            {"rejected_at": rejections.c.at},
        ),
    ),
    "promotions": Facts(
        promotions,
        promotions.c.at,
        _columns(
            {"promotion_id": promotions.c.id},
            _of(promotions, "tenant", "topic"),
            {"n_events": promotions.c.events, "promoted_at": promotions.c.at},
        ),
    ),
    "batches": Facts(
        batches,
        batches.c.created_at,
        _columns(
            {"batch_id": batches.c.id},
            _of(batches, "scope", "tenant", "user", "level", "pipeline", "state", "size", "tokens"),
            _of(batches, "created_at", "started_at", "finished_at", "reason"),
        ),
    ),
    "batch_events": Facts(
        batch_events.join(batches, batch_events.c.batch_id == batches.c.id),
        batches.c.created_at,
        _columns(_of(batch_events, "batch_id", "event_seq"), _of(batches, "created_at")),
    ),
    "batch_states": Facts(
        batch_history.join(batches, batch_history.c.batch_id == batches.c.id),
        batch_history.c.at,
        _columns(
            {"move_id": batch_history.c.id},
            _of(batch_history, "batch_id"),
            _of(batches, *_WHOSE, "pipeline"),
            _of(batch_history, "from_state", "to_state", "reason"),
            {"moved_at": batch_history.c.at},
        ),
    ),
    "stage_runs": Facts(
        stage_runs.join(batches, stage_runs.c.batch_id == batches.c.id),
        stage_runs.c.started_at,
        _columns(
            _of(stage_runs, "batch_id", "stage"),
            _of(batches, *_WHOSE, "pipeline"),
            _of(stage_runs, "state", "started_at", "finished_at", "error"),
        ),
    ),
    "reservations": Facts(
        solution_reservations,
        solution_reservations.c.at,
        _columns(
            _of(solution_reservations, "batch_id", "tenant"),
            {"n_solutions": solution_reservations.c["count"], "reserved_at": solution_reservations.c.at},
        ),
    ),
    "generations": Facts(
        _ITEMS,
        items.c.created_at,
        _columns(
            _of(items, "batch_id", "item", "stage", "kind", "form"),
            _of(batches, *_WHOSE),
            _of(items, "prompt", "prompt_version", "model"),
            {"verdict": func.upper(items.c.verdict, type_=String)},
            _of(items, "created_at", "judged_at"),
        ),
    ),
    "judgements": Facts(
        judgements.join(
            _ITEMS, (judgements.c.batch_id == items.c.batch_id) & (judgements.c.item == items.c.item)
        ),
        judgements.c.at,
        _columns(
            _of(items, "batch_id", "item", "stage", "kind", "form"),
            _of(batches, "tenant", "level", "scope"),
            _of(judgements, "criterion", "score", "threshold"),
            {"is_passed": judgements.c.passed},
            _of(judgements, "reason", "judge_model", "rubric_version"),
            _of(items, "prompt", "prompt_version", "model"),
            {"judged_at": judgements.c.at},
        ),
    ),
    "model_calls": Facts(
        model_calls,
        model_calls.c.started_at,
        _columns(
            {"call_id": model_calls.c.id},
            _of(model_calls, "batch_id", "tenant", "user", "feature", "pipeline", "stage", "item", "purpose"),
            _of(model_calls, "model", "prompt_version", "rubric_version", "state"),
            _of(model_calls, "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens"),
            _of(model_calls, "cost_usd", "latency_ms", "started_at", "error"),
        ),
    ),
    "deliverables": Facts(
        deliverables,
        deliverables.c.created_at,
        _columns(
            {"deliverable_id": deliverables.c.id},
            _of(
                deliverables, "batch_id", "tenant", "user", "kind", "form", "title", "created_at", "cost_usd"
            ),
        ),
    ),
    "deliveries": Facts(
        outbox.join(deliverables, outbox.c.deliverable_id == deliverables.c.id),
        deliverables.c.created_at,
        _columns(
            {"delivery_id": outbox.c.id},
            _of(outbox, "deliverable_id"),
            _of(deliverables, "batch_id", "tenant", "user"),
            _of(outbox, "channel", "state"),
            {"n_attempts": outbox.c.attempts},
            _of(deliverables, "created_at"),
            {"delivered_at": outbox.c.published_at},
            _of(outbox, "last_error"),
        ),
    ),
    "dead_letters": Facts(
        dead_letters,
        dead_letters.c.at,
        _columns(
            {"letter_id": dead_letters.c.id},
            _of(dead_letters, "batch_id", "tenant", "stage", "error", "message"),
            {"n_attempts": dead_letters.c.attempts},
            _of(dead_letters, "cost_usd"),
            {"died_at": dead_letters.c.at},
        ),
    ),
}
