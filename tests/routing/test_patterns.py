"""EventBridge patterns: what matches, what does not, why, and what is no pattern."""

import fnmatch
import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from tasks.routing.matchers import PatternError
from tasks.routing.patterns import compile_pattern

EVENT = {
    "source": "zendesk",
    "detail-type": "Ticket Opened",
    "detail": {
        "priority": "Urgent",
        "score": 7.5,
        "open": True,
        "closed_at": None,
        "tags": ["billing", "refund"],
        "address": "10.1.2.3",
        "items": [{"sku": "a-1", "count": 2}, {"sku": "b-2", "count": 9}],
        "file": "photo.JPG",
    },
}

HOLDS = [
    {"source": ["zendesk"]},
    {"source": ["intercom", "zendesk"]},
    {"detail": {"priority": ["Urgent"], "open": [True]}},
    {"detail": {"closed_at": [None]}},
    {"detail": {"score": [7.5]}},
    {"detail-type": [{"prefix": "Ticket"}]},
    {"detail-type": [{"prefix": {"equals-ignore-case": "tICKET"}}]},
    {"detail": {"file": [{"suffix": ".JPG"}]}},
    {"detail": {"file": [{"suffix": {"equals-ignore-case": ".jpg"}}]}},
    {"detail": {"priority": [{"equals-ignore-case": "urgent"}]}},
    {"detail": {"priority": [{"anything-but": ["Low", "Normal"]}]}},
    {"detail": {"priority": [{"anything-but": "Low"}]}},
    {"detail": {"priority": [{"anything-but": {"prefix": "Lo"}}]}},
    {"detail": {"priority": [{"anything-but": {"suffix": ["w", "l"]}}]}},
    {"detail": {"priority": [{"anything-but": {"equals-ignore-case": ["low"]}}]}},
    {"detail": {"file": [{"anything-but": {"wildcard": "*.png"}}]}},
    {"detail": {"score": [{"numeric": [">", 5, "<=", 7.5]}]}},
    {"detail": {"score": [{"numeric": ["=", 7.5]}]}},
    {"detail": {"file": [{"wildcard": "ph*.J*G"}]}},
    {"detail": {"address": [{"cidr": "10.0.0.0/8"}]}},
    {"detail": {"priority": [{"exists": True}]}},
    {"detail": {"gone": [{"exists": False}]}},
    {"detail": {"gone": {"deeper": [{"exists": False}]}}},
    {"detail": {"tags": ["refund"]}},
    {"detail": {"tags": [{"anything-but": "billing"}]}},
    {"detail": {"items": {"sku": ["b-2"], "count": [9]}}},
    {"$or": [{"source": ["nobody"]}, {"detail": {"open": [True]}}]},
    {"detail": {"$or": [{"score": [{"numeric": ["<", 1]}]}, {"tags": ["billing"]}], "open": [True]}},
]
FAILS = [
    ({"source": ["Zendesk"]}, "source is 'zendesk', and must be 'Zendesk'"),
    ({"detail": {"open": ["true"]}}, "detail.open is True, and must be 'true'"),
    ({"detail": {"open": [1]}}, "detail.open is True, and must be 1"),
    ({"detail": {"score": ["7.5"]}}, "detail.score is 7.5, and must be '7.5'"),
    ({"detail": {"gone": [None]}}, "detail.gone is absent, and must be None"),
    ({"detail": {"gone": [{"anything-but": "x"}]}}, "detail.gone is absent, and must be anything but 'x'"),
    ({"detail": [{"exists": True}]}, "detail is {.*, and must be there"),
    ({"detail": {"priority": [{"exists": False}]}}, "detail.priority is 'Urgent', and must be absent"),
    ({"detail": {"score": [{"numeric": [">", 7.5]}]}}, "must be a number > 7.5"),
    ({"detail": {"open": [{"numeric": [">", 0]}]}}, "detail.open is True, and must be a number > 0"),
    ({"detail": {"address": [{"cidr": "192.168.0.0/16"}]}}, "must be an address in 192.168.0.0/16"),
    ({"detail": {"file": [{"cidr": "10.0.0.0/8"}]}}, "must be an address in"),
    ({"detail": {"items": {"sku": ["a-1"], "count": [9]}}}, "detail.items.count is 2, and must be 9"),
    ({"source": {"deeper": ["x"]}}, "source.deeper is absent"),
    ({"detail": {"file": [{"wildcard": "*.png"}]}}, r"must be a text like '\*.png'"),
    ({"$or": [{"source": ["a"]}, {"source": ["b"]}]}, "source is 'zendesk', and must be 'a'"),
    ({"detail": {"tags": {"name": ["x"]}}}, "detail.tags is .*, and must be an object"),
]
WRONG = [
    ({}, "an empty pattern matches nothing"),
    ({"detail": {}}, "detail: an empty pattern"),
    ({"source": "zendesk"}, r'source: give a list of what matches, as in \["zendesk"\]'),
    ({"source": []}, "source: give a list"),
    ({"source": [{"like": "x"}]}, "source: 'like' is no operator; known are prefix, suffix"),
    ({"source": [{"prefix": "a", "suffix": "b"}]}, "one operator stands alone"),
    ({"source": [{}]}, "here are none"),
    ({"source": [["x"]]}, "is no text, number, true, false or null"),
    ({"a": [{"numeric": [">", "3"]}]}, "a: numeric compares by one of"),
    ({"a": [{"numeric": [">"]}]}, "numeric takes one or two comparisons"),
    ({"a": [{"numeric": ["~", 3]}]}, "numeric compares by one of"),
    ({"a": [{"prefix": 3}]}, "compares with a text"),
    ({"a": [{"prefix": ""}]}, "compares with a text"),
    ({"a": [{"exists": "yes"}]}, "exists is true or false"),
    ({"a": [{"cidr": "10.0.0.0/99"}]}, "cidr takes a block of addresses"),
    ({"a": [{"wildcard": "a**b"}]}, "no two stars"),
    ({"a": [{"anything-but": []}]}, "at least one value"),
    ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "anything-but takes prefix, suffix"),
    ({"$or": [{"a": ["x"]}]}, r"\$or takes a list of two patterns"),
    ({"a": {"b": {"c": "x"}}}, "a.b.c: give a list"),
]


@pytest.mark.parametrize("pattern", HOLDS, ids=str)
def test_what_matches_matches(pattern):
    """By every operator that EventBridge documents."""
    assert compile_pattern(pattern).miss(EVENT) is None
    assert compile_pattern(pattern).matches(EVENT)


@pytest.mark.parametrize(("pattern", "said"), FAILS, ids=str)
def test_what_does_not_match_says_why(pattern, said):
    """By the first field that differs: where it is, what it is, and what it would have to be."""
    assert re.search(said, str(compile_pattern(pattern).miss(EVENT)))


@pytest.mark.parametrize(("pattern", "said"), WRONG, ids=str)
def test_what_is_no_pattern_is_refused(pattern, said):
    """With the place and what is allowed there."""
    with pytest.raises(PatternError, match=said):
        compile_pattern(pattern)


texts = st.sampled_from(["a", "ab", "abc", "b", "ba", "B", "xyz", ""])
scalars = texts | st.integers(-3, 3) | st.booleans() | st.none()
matchers = st.one_of(
    texts,
    st.builds(lambda text: {"prefix": text}, texts.filter(bool)),
    st.builds(
        lambda bound, sign: {"numeric": [sign, bound]},
        st.integers(-3, 3),
        st.sampled_from(["<", ">", "=", "<=", ">="]),
    ),
    st.builds(lambda there: {"exists": there}, st.booleans()),
    st.builds(lambda texts: {"anything-but": texts}, st.lists(texts.filter(bool), min_size=1, max_size=3)),
)
names = st.sampled_from(["p", "q", "r"])
patterns = st.dictionaries(
    names,
    st.lists(matchers, min_size=1, max_size=3)
    | st.dictionaries(names, st.lists(matchers, min_size=1, max_size=2), min_size=1, max_size=2),
    min_size=1,
    max_size=3,
)
events = st.dictionaries(
    names,
    texts | st.integers(-3, 3) | st.dictionaries(names, texts | st.integers(-3, 3), max_size=3),
    max_size=3,
)


@given(patterns, events)
def test_it_decides_as_another_implementation_does(pattern, event):
    """As moto's EventBridge has it, where that follows AWS.

    It takes an object for something that exists; AWS looks at leaves alone ("exists works only on leaf nodes").
    """
    leaves = [name for name, asked in pattern.items() if isinstance(asked, list)]
    assume(not any(isinstance(event.get(name), dict) for name in leaves))
    theirs = EventPattern.load(json.dumps(pattern))
    assert compile_pattern(pattern).matches(event) == theirs.matches_event(event)


@given(events.filter(bool))
def test_a_pattern_of_all_that_an_event_says_matches_it(event):
    """Every leaf in a list of its own: whatever the event."""

    def leaves(value):
        return {
            name: leaves(one) if isinstance(one, dict) else [one] for name, one in value.items() if one != {}
        }

    pattern = leaves(event)
    if pattern:
        assert compile_pattern(pattern).matches(event)


@given(
    st.text("ab*", min_size=1, max_size=8).filter(lambda text: "**" not in text), st.text("ab", max_size=10)
)
def test_a_wildcard_is_as_a_shell_has_it(wildcard, text):
    """Any text for a star, and all of the rest as it stands."""
    compiled = compile_pattern({"a": [{"wildcard": wildcard}]})
    assert compiled.matches({"a": text}) == fnmatch.fnmatchcase(text, wildcard)


def test_a_long_text_costs_a_wildcard_one_look():
    """Whoever chooses the text cannot make it go over it again and again."""
    compiled = compile_pattern({"a": [{"wildcard": "*error*timeout*error*timeout*"}]})
    assert not compiled.matches({"a": "error" * 60_000})


def test_a_star_may_be_itself():
    """After a backslash, as may a backslash."""
    compiled = compile_pattern({"a": [{"wildcard": r"2\*2=\\*"}]})
    assert compiled.matches({"a": "2*2=\\4"})
    assert not compiled.matches({"a": "2x2=\\4"})
