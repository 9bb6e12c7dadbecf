"""Agreement of a judge with people: every coefficient with an interval that means what it says, or none."""

import warnings

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from evaluation.agreement import Paired, agreement, cohen_kappa, krippendorff_alpha, pearson
from evaluation.estimates import Estimate, Insufficient
from evaluation.resampling import interval

NAMES = {
    *("pearson", "spearman", "kendall", "krippendorff_alpha"),
    *("cohen_kappa", "accuracy", "sensitivity", "specificity"),
}


def judged(n=400, tenants=20, noise=0.15, seed=3):
    """Scores of people, and of a judge who sees the same less sharply."""
    random = np.random.default_rng(seed)
    people = random.random(n)
    judge = np.clip(people + random.normal(0, noise, n), 0, 1)
    return Paired(judge, people, [f"t{number % tenants}" for number in range(n)])


def test_every_coefficient_has_an_interval_by_tenant():
    """And the same seed gives the same."""
    found = agreement(judged(), 0.7, seed=1, draws=300)
    assert set(found) == NAMES
    for name, one in found.items():
        assert isinstance(one, Estimate), name
        assert one.low <= one.value <= one.high
        assert one.method.endswith("bootstrap by tenant")
        assert (one.n, one.clusters) == (400, 20)
    assert found == agreement(judged(), 0.7, seed=1, draws=300)


def test_a_judge_who_says_what_people_say_agrees_wholly():
    """One in each of them."""
    scores = np.tile([0.1, 0.5, 0.9, 0.95], 25)
    found = agreement(Paired(scores, scores, ["t"] * 100), 0.7, seed=1, draws=100)
    assert all(one.value == pytest.approx(1) for one in found.values())


def test_with_few_tenants_items_are_drawn_and_it_is_said():
    """Drawing three tenants would tell nothing of what another would be like."""
    found = agreement(judged(tenants=3), 0.7, seed=1, draws=100)
    assert {one.method.rpartition("bootstrap by ")[2] for one in found.values()} == {"item"}


def test_intervals_cover_as_often_as_they_say():
    """Of 100 samples of 200 items in 20 tenants: at least 90, and not all."""
    truth = np.corrcoef(judged(200_000).judge, judged(200_000).people)[0, 1]
    covered = 0
    for number in range(100):
        one = judged(200, seed=100 + number)
        covered += interval(pearson, one.judge, one.people, one.tenants, seed=number, draws=200).covers(truth)
    assert 88 <= covered <= 99


@pytest.mark.parametrize(
    ("judge", "people", "none"),
    [
        ([0.5] * 40, list(np.linspace(0, 1, 40)), {"pearson", "spearman", "kendall"}),
        ([0.9] * 40, [0.9] * 40, {"pearson", "cohen_kappa", "specificity", "krippendorff_alpha"}),
        ([0.1] * 40, [0.1] * 40, {"sensitivity"}),
    ],
)
def test_where_one_side_never_varies_there_is_no_figure(judge, people, none):
    """A sentence instead of a NaN."""
    found = agreement(Paired(judge, people, ["t"] * 40), 0.7, seed=1, draws=100)
    for name in none:
        assert isinstance(found[name], Insufficient), name
        assert "insufficient data" in str(found[name])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_no_figure_is_a_nan_whatever_the_scores(pairs):
    """Few, equal, at the ends: an interval in order, or a sentence."""
    judge, people = [one for one, _ in pairs], [other for _, other in pairs]
    for one in agreement(Paired(judge, people, ["t"] * len(pairs)), 0.7, seed=1, draws=10).values():
        if isinstance(one, Estimate):
            assert np.isfinite([one.value, one.low, one.high]).all()
            assert one.low <= one.high


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
def test_kappa_and_alpha_are_what_the_libraries_say(pairs):
    """Whatever two raters have said; where these give none, nor is there one."""
    one, other = (np.array(side, float) for side in zip(*pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kappa = cohen_kappa_score(one, other)
    assert cohen_kappa(one, other) == pytest.approx(kappa, nan_ok=True)
    if len(np.unique([one, other])) > 1:
        alpha = krippendorff.alpha(np.vstack([one, other]), level_of_measurement="interval")
        assert krippendorff_alpha(one, other) == pytest.approx(alpha)
    else:
        assert np.isnan(krippendorff_alpha(one, other))


def test_columns_that_do_not_belong_together_are_refused():
    """By their lengths."""
    with pytest.raises(ValueError, match="do not belong together"):
        agreement(Paired([0.1, 0.2], [0.1], ["t"]), 0.7, seed=1)
