"""Calibration, thresholds, canaries and pairs: what a judge's scores mean, and whether it is still the same judge."""

import numpy as np
import pytest

from evaluation.calibration import Calibration, calibrate
from evaluation.canaries import judge_drift
from evaluation.estimates import Insufficient
from evaluation.families import holm
from evaluation.pairwise import Choice, consistency, first_place, is_biased, longer_wins
from evaluation.thresholds import Costs, advise


def scored(n, seed=2):
    """Scores, and whether people pass items: as often as the square of their score says."""
    random = np.random.default_rng(seed)
    scores = random.random(n)
    return scores, random.random(n) < scores**2


@pytest.mark.parametrize(
    ("n", "method"), [(300, "platt"), (999, "platt"), (1_000, "isotonic"), (5_000, "isotonic")]
)
def test_few_labels_get_a_curve_of_two_numbers_and_many_any_that_rises(n, method):
    """What it says is near the truth, and never falls."""
    found = calibrate(*scored(n))
    assert isinstance(found, Calibration)
    assert found.method == method
    grid = np.linspace(0, 1, 21)
    curve = found.of(grid)
    assert ((curve >= 0) & (curve <= 1)).all()
    assert (np.diff(curve) >= -1e-12).all()
    assert np.abs(curve - grid**2).mean() < 0.12


@pytest.mark.parametrize(
    ("passed", "why"), [([True] * 49, "49 labels"), ([True] * 97 + [False] * 3, "of 100 labels 97 pass")]
)
def test_labels_that_say_too_little_give_no_curve(passed, why):
    """Too few, or nearly all the same."""
    found = calibrate(np.linspace(0, 1, len(passed)), passed)
    assert isinstance(found, Insufficient)
    assert why in str(found)


def test_the_dearer_error_decides_where_the_threshold_lies():
    """Where a bad pass costs much the advice is to be strict, and the saving is certain."""
    scores, passed = scored(3_000)
    tenants = [f"t{number % 30}" for number in range(3_000)]
    strict = advise(scores, passed, tenants, Costs(50, 1), 0.7, seed=1)
    lenient = advise(scores, passed, tenants, Costs(1, 50), 0.7, seed=1)
    assert strict.threshold > 0.9
    assert lenient.threshold < 0.3
    assert strict.is_worth_it
    assert lenient.is_worth_it
    assert lenient.cost < lenient.cost_now


def test_where_nothing_is_gained_for_certain_nothing_is_advised():
    """The interval of the saving holds zero."""
    scores, passed = scored(60)
    now = advise(scores, passed, ["t"] * 60, Costs(1, 1), 0.7, seed=1).threshold
    assert not advise(scores, passed, ["t"] * 60, Costs(1, 1), now, seed=1).is_worth_it


@pytest.mark.parametrize("costs", [Costs(0, 1), Costs(1, -1)])
def test_costs_that_are_none_are_refused(costs):
    """The advice would be to pass everything, or nothing."""
    with pytest.raises(ValueError, match="give both costs"):
        advise([0.5] * 60, [True, False] * 30, ["t"] * 60, costs, 0.7, seed=1)


def test_one_class_labels_advise_nothing():
    """Any threshold does as well."""
    assert isinstance(advise([0.5] * 60, [True] * 60, ["t"] * 60, Costs(1, 1), 0.7, seed=1), Insufficient)


def test_holms_correction_is_that_of_the_book():
    """Holm 1979: the smallest times the number, the next times one less, never falling."""
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert holm({}) == {}
    with pytest.raises(ValueError, match="no probability: x"):
        holm({"x": float("nan")})


def test_a_judge_that_has_changed_is_found_out_by_its_canaries():
    """One criterion moves by a twentieth on all of them; the others wobble as ever."""
    random = np.random.default_rng(8)
    usual = {name: random.uniform(0.3, 0.9, 24) for name in ("tone", "clarity")}
    now = {name: scores + random.normal(0, 0.02, 24) for name, scores in usual.items()}
    now["tone"] -= 0.05
    found = judge_drift(usual, now)
    assert found["tone"].is_drift
    assert found["tone"].shift == pytest.approx(-0.05, abs=0.02)
    assert not found["clarity"].is_drift


def test_a_judge_that_is_the_same_is_seldom_taken_for_another():
    """At most two false alarms in 40 days of two criteria."""
    random, alarms = np.random.default_rng(9), 0
    for _ in range(40):
        usual = {name: random.random(20) for name in ("a", "b")}
        now = {name: scores + random.normal(0, 0.05, 20) for name, scores in usual.items()}
        alarms += any(one.is_drift for one in judge_drift(usual, now).values())
    assert alarms <= 2


def test_canaries_that_stand_still_are_no_drift_and_few_are_no_figure():
    """Nor is another set of them compared."""
    scores = list(np.linspace(0, 1, 10))
    assert judge_drift({"a": scores}, {"a": scores})["a"].p_value == 1
    assert isinstance(judge_drift({"a": [0.1]}, {"a": [0.1]})["a"], Insufficient)
    with pytest.raises(ValueError, match="10 canaries before, 0 now"):
        judge_drift({"a": scores}, {})


def test_a_judge_that_prefers_the_first_place_is_found_out():
    """Whatever the texts are; a consistent one is not."""
    first = [Choice(1, 2)] * 30 + [Choice(1, 1)] * 20
    assert consistency(first).value == pytest.approx(0.4)
    assert is_biased(first_place(first))
    fair = [Choice(1, 2), Choice(2, 1)] * 15 + [Choice(2, 2)] * 70
    assert not is_biased(first_place(fair))
    assert consistency([Choice(None, None)] * 30).value == 0


def test_a_judge_that_prefers_longer_texts_is_found_out():
    """Of its consistent verdicts, how many fall on the longer one."""
    long = [Choice(1, 1, 900, 100)] * 40 + [Choice(2, 2, 900, 100)] * 4
    assert is_biased(longer_wins(long))
    assert isinstance(longer_wins([Choice(1, 1, 5, 5)] * 40), Insufficient)
