import re
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from tasks.trends import find_bursts

SCHEMA = {"tenant": pl.String, "topic": pl.String, "day": pl.Date, "n": pl.Int64, "n_low": pl.Int64}
END = date(2024, 5, 7)


def counts(*rows):
    """Rows of (tenant, topic, days before the end, n)."""
    dated = [(tenant, topic, END - timedelta(days=ago), n, n // 2) for tenant, topic, ago, n in rows]
    return pl.DataFrame(dated, schema=SCHEMA, orient="row")


def steady(tenant="acme", topic="login", days=67, n=2):
    """A topic that comes as often every day, the last day included."""
    return [(tenant, topic, ago, n) for ago in range(days)]


BILLING = [("acme", "billing", ago, 1) for ago in range(8, 60, 2)]
BURST = [("acme", "billing", 0, 10), ("acme", "billing", 6, 10)]


def test_a_clear_burst_is_found_and_its_numbers_are_right():
    """Twenty where 26 in 60 days predict three is one burst, with the textbook's p value and Holm's."""
    (burst,) = find_bursts(counts(*steady(), *BILLING, *BURST))
    p = binomtest(20, 46, 7 / 67, alternative="greater").pvalue
    assert (burst.tenant, burst.topic, burst.recent, burst.recent_low) == ("acme", "billing", 20, 10)
    assert (burst.history, burst.history_days) == (26, 60)
    assert (burst.window_start, burst.window_end) == (date(2024, 5, 1), END)
    assert burst.expected == pytest.approx(26 * 7 / 60)
    assert burst.ratio == pytest.approx(20 / (26 * 7 / 60))
    assert burst.p_value == pytest.approx(p)
    assert (burst.topics_tested, burst.p_adjusted) == (2, pytest.approx(2 * p))


def test_the_explanation_states_the_numbers():
    """The sentence holds the counts, spans, expectation and both p values of the burst."""
    (burst,) = find_bursts(counts(*steady(), *BILLING, *BURST))
    assert burst.explanation == (
        "'billing' came 20 times in the 7 days to 2024-05-07; its own history, 26 in the 60 days before, predicts "
        f"3; p = {burst.p_value:.1e}, and = {burst.p_adjusted:.1e} corrected for 2 topics"
    )


def test_a_new_topic_is_taken_to_have_come_once():
    """A topic the history has never seen is compared with one event in it, and the sentence says so."""
    (burst,) = find_bursts(counts(*steady(), ("acme", "outage", 0, 12)))
    assert burst.history == 0
    assert burst.expected == pytest.approx(7 / 60)
    assert burst.p_value == pytest.approx(binomtest(12, 13, 7 / 67, alternative="greater").pvalue)
    assert "it never came in the 60 days before, which counts as once and predicts 0.12" in burst.explanation


def test_a_probability_too_small_for_a_number_is_said_to_be_small():
    """A p value that underflows is written as a bound and not as zero."""
    (burst,) = find_bursts(counts(*steady(), ("acme", "outage", 0, 5000)))
    assert re.search(r"p < 1e-300", burst.explanation)


@pytest.mark.parametrize(("days", "found"), [(20, 0), (21, 1)])
def test_without_enough_history_there_is_no_burst(days, found):
    """A tenant needs the minimum of 14 days before its window of seven, exactly."""
    assert len(find_bursts(counts(*steady(days=days), ("acme", "outage", 0, 30)))) == found


def test_no_counts_are_no_bursts():
    """An empty frame has none."""
    assert find_bursts(counts()) == []


@pytest.mark.parametrize("tighter", [{"min_count": 21}, {"min_ratio": 7.0}, {"alpha": 1e-20}])
def test_each_condition_holds_by_itself(tighter):
    """A burst that misses the count, the ratio or the level is not reported."""
    rows = counts(*steady(), *BILLING, *BURST)
    assert len(find_bursts(rows)) == 1
    assert find_bursts(rows, **tighter) == []


def test_a_short_history_makes_the_same_rate_less_certain():
    """The same rate over fewer days gives a larger p value: the history is a sample."""
    long = [("acme", "billing", ago, 1) for ago in range(7, 67)]
    short = [("acme", "billing", ago, 1) for ago in range(7, 22)]
    now = ("acme", "billing", 0, 30)
    (sure,), (unsure,) = find_bursts(counts(*long, now)), find_bursts(counts(*short, now))
    assert sure.expected == unsure.expected
    assert sure.p_value < unsure.p_value


def test_tenants_have_their_own_last_day_and_do_not_touch_each_other():
    """A tenant whose events ended earlier is judged by its own window, whatever others do."""
    acme = [*steady(), *BILLING, *BURST]
    bolt = [("bolt", topic, ago + 100, n) for _, topic, ago, n in acme]
    mine, theirs = find_bursts(counts(*acme, *bolt))
    assert [mine] == find_bursts(counts(*acme))
    assert [theirs] == find_bursts(counts(*bolt))
    assert (theirs.tenant, theirs.window_end) == ("bolt", END - timedelta(days=100))


def test_bursts_are_independent_of_row_order_and_of_how_days_are_cut():
    """Shuffled rows, and rows of one day cut in two, are the same bursts in the same order."""
    rows = counts(*steady(), *BILLING, *BURST, ("acme", "outage", 0, 12), ("acme", "refund", 1, 12))
    cut = pl.concat(
        [rows.with_columns(pl.col("n") - 1, pl.col("n_low") * 0), rows.with_columns(pl.col("n") * 0 + 1)]
    )
    bursts = find_bursts(rows)
    assert [burst.topic for burst in bursts] == ["outage", "refund", "billing"]
    assert find_bursts(rows.sample(fraction=1.0, shuffle=True, seed=3)) == bursts
    assert find_bursts(cut.sample(fraction=1.0, shuffle=True, seed=4)) == bursts


@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("seed", range(4))
def test_steady_tenants_seldom_have_a_false_burst(seed, alpha):
    """Of 400 tenants of ten steady topics, no more than alpha have any burst, within three deviations."""
    tenants, topics, days = 400, 10, 67
    rng = np.random.default_rng(seed)
    rates = rng.gamma(1.0, 1.0, (tenants, topics, 1))
    drawn = rng.poisson(rates, (tenants, topics, days))
    tenant, topic, ago = (axis.ravel() for axis in np.indices(drawn.shape))
    rows = pl.DataFrame({"tenant": tenant, "topic": topic, "ago": ago, "n": drawn.ravel()}).select(
        pl.format("tenant {}", "tenant").alias("tenant"),
        pl.format("topic {}", "topic").alias("topic"),
        pl.lit(END).sub(pl.duration(days="ago")).alias("day"),
        "n",
        n_low="n",
    )
    promoted = {burst.tenant for burst in find_bursts(rows, alpha=alpha, min_count=1, min_ratio=1.0)}
    assert len(promoted) / tenants <= alpha + 3 * (alpha * (1 - alpha) / tenants) ** 0.5


@pytest.mark.parametrize(
    ("rows", "setting", "said"),
    [
        (counts(), {"window_days": 0}, "window_days = 0"),
        (counts(), {"min_history_days": 0}, "min_history_days = 0"),
        (counts(), {"alpha": 1.0}, "alpha = 1.0"),
        (counts().drop("n_low"), {}, "n_low"),
    ],
)
def test_a_wrong_setting_or_frame_is_named(rows, setting, said):
    """A setting out of its range and a missing column are refused by name."""
    with pytest.raises(ValueError, match=said):
        find_bursts(rows, **setting)
