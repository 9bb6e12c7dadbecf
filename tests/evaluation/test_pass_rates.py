"""True pass rates from few labels and many verdicts: intervals cover the truth, and the oracle says the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.estimates import Estimate, Insufficient
from evaluation.pass_rates import (
    Labelled,
    Unlabelled,
    judge_alone,
    people_alone,
    prediction_powered,
    rogan_gladen,
)
from tests.evaluation.published import majority, needs_judge_data, rows

LABELS = 150
TIMES = 1_000


def split(people, judge, order, labels=LABELS):
    """The first so many items with people's labels, the others without; one tenant."""
    one, other = order[:labels], order[labels:]
    labelled = Labelled(people[one], judge[one], ["acme"] * len(one))
    return labelled, Unlabelled(judge[other], ["acme"] * len(other))


@needs_judge_data
def test_intervals_from_150_labels_cover_the_truth_but_for_those_of_the_judge_alone():
    """PandaLM's 999 comparisons judged by GPT-3.5: how often does it say that the first answer is better?

    The judge alone covers the truth about one time in four; people alone about 97 % at a width of 0.158; PPI++ as
    often, and narrower.
    """
    people = np.array([float(majority(row) == 1) for row in rows("pandalm")])
    judge = np.array([float(row["gpt_3_5"] == "1") for row in rows("pandalm")])
    truth, random = people.mean(), np.random.default_rng(7)
    found = {"judge": [], "people": [], "ppi": []}
    for _ in range(TIMES):
        labelled, rest = split(people, judge, random.permutation(len(people)))
        found["judge"].append(judge_alone(rest))
        found["people"].append(people_alone(labelled))
        found["ppi"].append(prediction_powered(labelled, rest))
    covered = {name: np.mean([one.covers(truth) for one in several]) for name, several in found.items()}
    widths = {name: np.mean([one.width for one in several]) for name, several in found.items()}
    assert 0.18 <= covered["judge"] <= 0.32
    assert min(covered["people"], covered["ppi"]) >= 0.95
    assert widths["people"] == pytest.approx(0.158, abs=0.001)
    assert widths["ppi"] <= 0.135


verdicts = st.tuples(st.booleans(), st.booleans())


@given(st.lists(verdicts, min_size=60, max_size=300), st.lists(st.booleans(), min_size=20, max_size=400))
def test_ppi_is_what_its_authors_library_says(both, rest):
    """Point and interval, within 0 to 1, whatever the verdicts.

    Where ppi-python is installed: it brings a package `tests` that hides this one from processes that tests start.
    """
    oracle = pytest.importorskip("ppi_py", reason="ppi-python is not installed")
    people, judge = (np.array(side, float) for side in zip(*both, strict=True))
    others = np.array(rest, float)
    if np.concatenate([judge, others]).var() == 0:
        return
    found = prediction_powered(
        Labelled(people, judge, ["a"] * len(people)), Unlabelled(others, ["a"] * len(others))
    )
    low, high = (float(one[0]) for one in oracle.ppi_mean_ci(people, judge, others, alpha=0.05))
    point = float(oracle.ppi_mean_pointestimate(people, judge, others)[0])
    assert found.value == pytest.approx(min(max(point, 0), 1), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-9)


def test_the_correction_by_sensitivity_and_specificity_finds_the_rate_of_a_judge_that_errs():
    """Of 60 % good items a judge that passes 90 % of the good and 30 % of the bad passes 66 %."""
    random = np.random.default_rng(1)
    people = (random.random(40_000) < 0.6).astype(float)
    judge = np.where(people == 1, random.random(40_000) < 0.9, random.random(40_000) < 0.3).astype(float)
    labelled, rest = split(people, judge, np.arange(40_000), 5_000)
    assert judge_alone(rest).value == pytest.approx(0.66, abs=0.01)
    found = rogan_gladen(labelled, rest)
    assert found.covers(0.6)
    assert found.width < 0.08


def test_items_of_one_tenant_are_not_so_many_independent_ones():
    """Where tenants differ, intervals by tenant are wider than those by item, and cover the truth."""
    random = np.random.default_rng(5)
    covered, widths = 0, []
    for _ in range(300):
        rates = random.beta(2, 2, 40)
        tenants = np.repeat(np.arange(40), 10)
        people = (random.random(400) < rates[tenants]).astype(float)
        found = people_alone(Labelled(people, people, [f"t{one}" for one in tenants]))
        covered += found.covers(0.5)
        widths.append(found.width)
    assert covered / 300 >= 0.9
    assert np.mean(widths) > 1.4 * 2 * 1.96 * np.sqrt(0.25 / 400)


@pytest.mark.parametrize(
    ("labelled", "rest", "of", "why"),
    [
        (
            Labelled([1.0] * 29, [1.0] * 29, ["a"] * 29),
            Unlabelled([1.0], ["a"]),
            prediction_powered,
            "29 labels",
        ),
        (
            Labelled([1.0] * 40, [1.0] * 40, ["a"] * 40),
            Unlabelled([1.0], ["a"]),
            rogan_gladen,
            "the same of all",
        ),
        (
            Labelled([1.0, 0.0] * 20, [0.0, 1.0] * 20, ["a"] * 40),
            Unlabelled([1.0], ["a"]),
            rogan_gladen,
            "no better than chance",
        ),
    ],
)
def test_where_the_data_allow_no_figure_there_is_none(labelled, rest, of, why):
    """A sentence says why: never a NaN, never an interval made of nothing."""
    found = of(labelled, rest)
    assert isinstance(found, Insufficient)
    assert why in str(found)


def test_without_other_verdicts_people_alone_decide():
    """And of no verdicts at all there is no figure."""
    labelled = Labelled([1.0, 0.0] * 20, [1.0, 0.0] * 20, ["a"] * 40)
    assert prediction_powered(labelled, Unlabelled([], [])) == people_alone(labelled)
    assert isinstance(judge_alone(Unlabelled([], [])), Insufficient)


@given(st.lists(verdicts, min_size=30, max_size=120), st.lists(st.booleans(), max_size=50))
def test_a_figure_lies_in_its_interval_and_that_between_0_and_1(both, rest):
    """Whatever the verdicts are, one-class ones too."""
    people, judge = (np.array(side, float) for side in zip(*both, strict=True))
    labelled = Labelled(people, judge, [f"t{number % 9}" for number in range(len(people))])
    unlabelled = Unlabelled(np.array(rest, float), ["t1"] * len(rest))
    for found in (
        people_alone(labelled),
        rogan_gladen(labelled, unlabelled),
        prediction_powered(labelled, unlabelled),
    ):
        if isinstance(found, Estimate):
            assert 0 <= found.low <= found.value <= found.high <= 1
