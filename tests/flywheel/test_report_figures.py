import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.page import figures, plots

# The ledger keeps prices to the billionth of a USD.
amounts = st.just(0) | st.floats(min_value=1e-9, max_value=1e12) | st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (figures.count(1234567), "1,234,567"),
        (figures.score(0.6994), "0.699"),
        (figures.usd(0), "$0"),
        (figures.usd(0.01234), "$0.0123"),
        (figures.usd(1234.5), "$1,234.5000"),
        (figures.share(1), "100.0 %"),
        (figures.share(0.9999999999999999), "100.0 %"),
        (figures.share(9_999 / 10_000), "> 99.9 %"),
        (figures.share(1 / 10_000), "< 0.1 %"),
        (figures.share(0), "0.0 %"),
        (figures.interval(0.1, 0.25), "10.0 to 25.0 %"),
        (figures.interval(None, 0.25), "\N{EN DASH}"),
        (figures.seconds(8.44), "8.4 s"),
        (figures.seconds(59.7), "1 min 0 s"),
        (figures.seconds(-125), "-2 min 5 s"),
        (figures.seconds(7_500), "2 h 5 min"),
        (figures.seconds(90_000), "1 d 1 h"),
        (figures.moment(None), "\N{EN DASH}"),
        (figures.day(None), "\N{EN DASH}"),
        (figures.words(" two\nlines\x00 \u202eand  more "), "two lines and more"),
        (figures.words("\x00"), "\N{EN DASH}"),
        (figures.words("x" * 500), "x" * 399 + "\N{HORIZONTAL ELLIPSIS}"),
        (figures.short("b-0123456789abcdef"), "b-0123456789"),
        (figures.short("b-1"), "b-1"),
    ],
)
def test_a_figure_reads_as_documented(figure, text):
    """Each kind of value has one form, and no rounding says all or none where it is not."""
    assert figure.text == text


@given(st.sampled_from([None, math.nan, math.inf, -math.inf]))
def test_what_is_no_number_is_never_printed_as_one(value):
    """A missing or impossible number is a dash, and draws nothing."""
    scale = plots.axis("anything", [value])
    for shown in (figures.count, figures.score, figures.usd, figures.share, figures.seconds):
        assert shown(value) == figures.NOTHING
    assert plots.bar(value, scale, "") is None
    assert plots.dot(value, 0, 1, scale, "") is None


@given(st.lists(amounts, max_size=8), st.sampled_from([plots.NUMBERS, plots.SECONDS, plots.USD]))
def test_every_value_lies_on_its_axis(values, units):
    """A scale begins at zero, holds its largest value, and has two to seven evenly spaced, different ticks."""
    scale = plots.axis("anything", values, units)
    assert max([0, *values]) <= scale.top * (1 + 1e-9)
    at = [tick.at for tick in scale.ticks]
    assert (at[0], at[-1]) == (0, 100)
    assert 2 <= len(at) <= 7
    assert len({tick.text for tick in scale.ticks}) == len(at)
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert max(gaps) - min(gaps) < 0.01


def test_a_count_has_no_ticks_between_whole_numbers():
    """Two batches are drawn on a scale of 0, 1, 2."""
    assert [tick.text for tick in plots.axis("batches", [2]).ticks] == ["0", "1", "2"]


def test_ticks_are_round_and_in_the_largest_unit():
    """Seconds become minutes, tokens thousands, and prices carry their sign."""
    assert [tick.text for tick in plots.axis("", [117], plots.SECONDS).ticks][-1] == "2 min"
    assert [tick.text for tick in plots.axis("", [3_900]).ticks] == ["0", "1 k", "2 k", "3 k", "4 k"]
    assert [tick.text for tick in plots.axis("", [0.0009], plots.USD).ticks][1] == "$0.0005"


@given(amounts, amounts)
def test_a_bar_is_as_long_as_its_value(value, other):
    """Bars start at zero and their lengths are in proportion to their values."""
    scale = plots.axis("anything", [value, other])
    mark = plots.bar(value, scale, "said")
    if mark is None:
        assert value == 0
    else:
        assert mark.low == 0
        assert mark.width == pytest.approx(value / scale.top * 100, abs=0.001)


def test_an_interval_is_drawn_around_its_dot():
    """Ends and dot stand at their shares of the axis, and what lies outside is kept within the plot."""
    mark = plots.dot(0.5, -0.25, 1.2, plots.SHARES, "said")
    assert mark == plots.Mark("said", 0, 100, 50)


def test_times_are_in_utc():
    """A time is printed to the minute and kept exactly."""
    figure = figures.moment(datetime(2024, 5, 1, 8, 15, 30, tzinfo=UTC))
    assert (figure.text, figure.value) == ("2024-05-01 08:15", "2024-05-01T08:15:30+00:00")
