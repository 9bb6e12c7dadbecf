"""Judge data with published results, read from the data pack beside the project; without it tests skip by name."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

JUDGE = Path(__file__).resolve().parents[3] / "shared" / "data" / "full" / "judge"
needs_judge_data = pytest.mark.skipif(not JUDGE.is_dir(), reason="the pack of judge data is not there")


@cache
def rows(name):
    """The rows of a file of the pack."""
    return [json.loads(line) for line in (JUDGE / f"{name}.ndjson").read_text().splitlines()]


@cache
def published(name):
    """What its authors have published."""
    return json.loads((JUDGE / f"{name}.json").read_text())


def majority(row):
    """What most of PandaLM's three annotators said."""
    return Counter(row[f"annotator{number}"] for number in (1, 2, 3)).most_common(1)[0][0]
