"""A small lake with known facts: three tenants, three days, some items the judge could not score."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from flywheel import write_day
from flywheel.schema import SQL_TYPES
from flywheel.tables import TABLES

START = datetime(2024, 5, 1, 8, tzinfo=UTC)
POLARS_TYPES = {kind: dtype for dtype, kind in SQL_TYPES.items()} | {"DATE": pl.Date()}
CRITERIA = ("clarity", "no_system_leakage", "relevance", "tone", "user_actionable")
STAGES = ("insights", "recommendations", "solutions", "notices")


def frame_of(table, rows):
    """The rows, dicts with any of the table's columns, as a frame with all of them."""
    names = TABLES[table].polars_schema
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], schema=names)


def frame_asked(connection, sql):
    """What a query gives, as a polars frame of the columns' types.

    By way of rows: DuckDB 2.0 complains of leaks at exit where polars has been handed one of its objects.
    """
    kinds = connection.execute(f"DESCRIBE {sql}").fetchall()
    types = {name: POLARS_TYPES[kind] for name, kind, *_ in kinds}
    return pl.DataFrame(connection.execute(sql).fetchall(), schema=types, orient="row")


def write_facts(root, facts):
    """Write each frame of `facts`, by table name, day by day."""
    for table, frame in facts.items():
        for (day,), rows in frame.group_by(pl.col(TABLES[table].filed_by).dt.date(), maintain_order=True):
            write_day(root, table, day, rows)


def _item(chance, number):
    tenant = ("acme", "globex", "initech")[number % 3]
    created = START + timedelta(hours=number * 0.6)
    item = {
        "batch_id": f"b-{number // 6}",
        "item": f"{STAGES[number % 4]}/{number}",
        "stage": STAGES[number % 4],
        "kind": "insight",
        "form": "report",
        "tenant": tenant,
        "level": "HIGH",
        "scope": "tenant",
        "prompt": STAGES[number % 4],
        "prompt_version": f"v{number % 2}",
        "model": ("offline-extractive", "claude-haiku")[number % 5 == 0],
        "created_at": created,
        "judged_at": created + timedelta(seconds=3),
    }
    is_unscored = number % 11 == 0
    scores = {name: None if is_unscored else chance.uniform(0.6, 1) for name in CRITERIA}
    judged = item | {"threshold": 0.7, "judge_model": "judge-1", "rubric_version": "r1"}
    judgements = [
        judged
        | {"criterion": name, "score": score, "is_passed": None if score is None else score >= 0.7}
        | {"reason": "The judge did not answer." if score is None else f"It is {name} to {score:.3f}."}
        for name, score in scores.items()
    ]
    if is_unscored:
        return item | {"verdict": "UNSCORED"}, judgements
    return item | {"verdict": "PASSED" if min(scores.values()) >= 0.7 else "FAILED"}, judgements


def _call(chance, number):
    return {
        "call_id": f"c-{number}",
        "batch_id": f"b-{number % 15}",
        "tenant": ("acme", "globex", "initech")[number % 3],
        "feature": ("checkout", "search")[number % 2],
        "pipeline": "main",
        "stage": STAGES[number % 4],
        "purpose": "generate",
        "model": "claude-haiku",
        "state": "FAILED" if number % 10 == 0 else "SUCCEEDED",
        "input_tokens": chance.randrange(5000),
        "output_tokens": chance.randrange(900),
        "cache_write_tokens": 0,
        "cache_read_tokens": 100,
        "cost_usd": chance.uniform(0, 0.01),
        "latency_ms": chance.uniform(200, 3000),
        "started_at": START + timedelta(minutes=number * 20),
    }


def _batch(number):
    created = START + timedelta(hours=number * 4)
    finished = number % 4 != 3
    return {
        "batch_id": f"b-{number}",
        "scope": "tenant",
        "tenant": ("acme", "globex", "initech")[number % 3],
        "level": "HIGH",
        "pipeline": "main",
        "state": "DONE" if finished else "RUNNING",
        "size": 10 + number,
        "tokens": 1000,
        "created_at": created,
        "started_at": created + timedelta(seconds=number),
        "finished_at": created + timedelta(seconds=60 + number * 2) if finished else None,
    }


@pytest.fixture
def facts():
    """Frames by table: 90 items with their judgements, 200 calls, 15 batches, 9 deliverables."""
    chance = random.Random(7)  # noqa: S311, figures for a test
    items = [_item(chance, number) for number in range(90)]
    deliverable = {
        "tenant": "acme",
        "kind": "insight",
        "form": "report",
        "created_at": START,
        "cost_usd": 0.02,
    }
    return {
        "batches": frame_of("batches", [_batch(number) for number in range(15)]),
        "generations": frame_of("generations", [item for item, _ in items]),
        "judgements": frame_of("judgements", [row for _, rows in items for row in rows]),
        "model_calls": frame_of("model_calls", [_call(chance, number) for number in range(200)]),
        "deliverables": frame_of(
            "deliverables", [deliverable | {"deliverable_id": f"d-{number}"} for number in range(9)]
        ),
    }


@pytest.fixture
def ask():
    """`frame_asked`: what a query gives, as a polars frame."""
    return frame_asked


@pytest.fixture
def frame():
    """`frame_of`: rows of a table as a frame with every column."""
    return frame_of


@pytest.fixture
def write():
    """`write_facts`: frames by table written day by day."""
    return write_facts


@pytest.fixture
def lake(tmp_path: Path, facts) -> Path:
    """The lake folder of a home, holding `facts`."""
    root = tmp_path / "home" / "lake"
    write_facts(root, facts)
    return root
