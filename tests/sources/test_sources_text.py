"""Events as plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.sources.text import estimate_tokens, event_rating, event_text


@pytest.fixture(scope="module")
def event(mapper, record):
    """An event with the data given."""
    return lambda data: mapper.event(record(data=data))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"title": "T", "text": "one\ntwo", "product": "p"}, "T\none\ntwo"),
        ({"turns": [{"speaker": "a", "text": "hi"}, {"text": "yo"}, {"speaker": "b"}, 3]}, "a: hi\nyo"),
        (
            {
                "answers": [
                    {"question": "Well?", "answer": True},
                    {"question": "Bad?", "answer": False},
                    {"question": "Why?", "answer": ""},
                    {"answer": 3},
                    {"question": "Who?"},
                ]
            },
            "Well?: yes\nBad?: no\nAnswer: 3",
        ),
        ({"title": "Anomaly", "metric": "cpu", "value": 0.5, "window_start": "x"}, "Anomaly\ncpu: 0.5"),
        ({"title": "T", "body": "B", "parts": ["x", {"y": "z", "n": 1}], "_zone": "UTC"}, "T\nB\nx\nz"),
        ({"text": "", "turns": "none", "answers": None}, "none"),
        ({}, ""),
    ],
)
def test_an_event_says_what_it_holds(event, data, text):
    """Title and text, turns by speaker, answers by question, measured values, else every text there is."""
    assert event_text(event(data)) == text


@pytest.mark.parametrize(
    ("data", "rating"),
    [
        ({"rating": 4}, 4.0),
        ({"rating": "4.5"}, 4.5),
        ({"rating_code": 1}, 1.0),
        ({"rating_code": "5"}, 5.0),
        ({"rating_code": 7}, None),
        ({"rating_code": 2.5}, None),
        ({"rating": True}, None),
        ({"rating": "good"}, None),
        ({}, None),
    ],
)
def test_a_rating_is_a_number_or_none(event, data, rating):
    """Codes that mean no rating, and anything that is no number, are none."""
    assert event_rating(event(data)) == rating


@given(st.text())
def test_tokens_are_a_quarter_of_the_characters_and_at_least_one(text):
    """The stated approximation."""
    assert estimate_tokens(text) == max(1, len(text) // 4)
