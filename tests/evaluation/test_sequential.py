"""Challengers and champions: whoever looks again and again is wrong no more often than whoever looks once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.sequential import compare, confidence_sequence

LOOKS = np.linspace(100, 4_000, 40).astype(int)
TIMES = 300


def naive_is_wrong(one, other):
    """Whether a usual test at 5 %, asked at each look, claims a difference at any of them."""
    for look in LOOKS:
        a, b = one[:look], other[:look]
        error = np.sqrt(a.var() / look + b.var() / look)
        if abs(b.mean() - a.mean()) > 1.96 * error:
            return True
    return False


def test_of_two_that_are_alike_a_difference_is_claimed_in_at_most_one_case_in_twenty():
    """Over 40 looks, where the naive test claims one in more than a quarter of the cases."""
    random = np.random.default_rng(3)
    wrong = naive = 0
    for _ in range(TIMES):
        one, other = (random.random((2, LOOKS[-1])) < 0.8).astype(float)
        wrong += any(compare(one[:look], other[:look]).decision != "go on" for look in LOOKS[::4])
        bounds = [confidence_sequence(arm, error=0.025) for arm in (one, other)]
        low, high = bounds[1][:, 0] - bounds[0][:, 1], bounds[1][:, 1] - bounds[0][:, 0]
        wrong += bool(((low > 0) | (high < 0))[LOOKS - 1].any())
        naive += naive_is_wrong(one, other)
    assert wrong / TIMES <= 0.05
    assert 0.22 <= naive / TIMES <= 0.38


@pytest.mark.parametrize(("rate", "within"), [(0.9, 2_000), (0.95, 800)])
def test_a_better_challenger_is_found_before_long(rate, within):
    """Half of the time within so many verdicts of each, against a champion that passes 80 %."""
    random = np.random.default_rng(4)
    found = 0
    for _ in range(40):
        champion, challenger = random.random((2, within))
        found += compare(champion < 0.8, challenger < rate).decision == "promote"
    assert found >= 20


def test_a_challenger_that_is_no_better_by_what_is_asked_for_is_rejected():
    """One that is worse, or better by less than matters."""
    random = np.random.default_rng(5)
    champion, worse = random.random((2, 4_000))
    assert compare(champion < 0.8, worse < 0.6).decision == "reject"
    assert compare(champion < 0.8, worse < 0.81, least=0.2).decision == "reject"


def test_before_anything_is_known_the_answer_is_to_go_on():
    """Anything may be true."""
    standing = compare([], [])
    assert (standing.low, standing.high, standing.decision) == (-1.0, 1.0, "go on")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_bounds_only_come_closer_and_stay_between_0_and_1(verdicts):
    """What was excluded once stays excluded."""
    bounds = confidence_sequence(verdicts)
    assert ((bounds >= 0) & (bounds <= 1)).all()
    assert (np.diff(bounds[:, 0]) >= 0).all()
    assert (np.diff(bounds[:, 1]) <= 0).all()


@pytest.mark.parametrize("wrong", [[-0.1], [1.1], [float("nan")]])
def test_verdicts_out_of_range_are_refused(wrong):
    """They would make any bound wrong."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        confidence_sequence(wrong)
