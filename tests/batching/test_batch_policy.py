from datetime import timedelta

import pytest
from pydantic import ValidationError

from contracts.batches import Scope
from contracts.events import Priority
from tasks.batching import BatchPolicy, LevelPolicy, closing_now

MINUTE = {"threshold": 1, "max_age": timedelta(minutes=1)}


@pytest.mark.parametrize(
    ("scope", "level", "threshold", "age"),
    [
        (Scope.TENANT, Priority.HIGH, 10, timedelta(minutes=5)),
        (Scope.TENANT, Priority.MEDIUM, 25, timedelta(hours=1)),
        (Scope.TENANT, Priority.LOW, 100, timedelta(hours=24)),
        (Scope.USER, Priority.HIGH, 3, timedelta(minutes=5)),
        (Scope.USER, Priority.MEDIUM, 5, timedelta(hours=1)),
        (Scope.USER, Priority.LOW, 20, timedelta(hours=24)),
    ],
)
def test_defaults_are_the_documented_ones(scope, level, threshold, age):
    """Every scope and level has its documented threshold and age."""
    assert BatchPolicy().of(scope).at(level) == LevelPolicy(threshold=threshold, max_age=age)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"max_events": 0}, "max_events"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_batch": 5}, "max_batch"),
        (
            {"user": {"high": MINUTE, "medium": MINUTE, "low": MINUTE | {"threshold": 0}}},
            "user.low.threshold",
        ),
        (
            {"tenant": {"high": MINUTE | {"max_age": timedelta(-1)}, "medium": MINUTE, "low": MINUTE}},
            "tenant.high.max_age",
        ),
        (
            {"tenant": {"high": MINUTE | {"max_age": timedelta.max}, "medium": MINUTE, "low": MINUTE}},
            "tenant.high.max_age",
        ),
        ({"tenant": {"high": MINUTE, "medium": MINUTE}}, "tenant.low"),
    ],
)
def test_a_wrong_setting_is_named(settings, name):
    """A value out of range, a missing one and an unknown one are refused by their full name."""
    with pytest.raises(ValidationError) as refused:
        BatchPolicy.model_validate(settings)
    assert name in str(refused.value)


def test_closing_now_changes_ages_and_nothing_else():
    """The flush policy has every age zero and keeps thresholds and sizes."""
    policy = BatchPolicy(max_events=7)
    flush = closing_now(policy)
    for scope in Scope:
        for level in Priority:
            before, after = policy.of(scope).at(level), flush.of(scope).at(level)
            assert after == LevelPolicy(threshold=before.threshold, max_age=timedelta(0))
    assert (flush.max_events, flush.max_tokens) == (7, policy.max_tokens)
