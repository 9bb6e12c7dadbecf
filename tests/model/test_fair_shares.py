"""Shares of a limit: all of it is used where it is wanted, and nobody is short while another has more."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.model.shares import fair_shares

WISHES = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 40), max_size=8)


@given(st.integers(0, 100), WISHES)
def test_as_much_is_given_as_there_is_and_is_wanted(limit, wishes):
    """Neither more than the limit nor more than a wish; and no slot is idle that somebody wants."""
    shares = fair_shares(limit, wishes)
    assert shares.keys() == wishes.keys()
    assert all(0 <= shares[name] <= wish for name, wish in wishes.items())
    assert sum(shares.values()) == min(limit, sum(wishes.values()))


@given(st.integers(0, 100), WISHES)
def test_who_gets_less_than_the_wish_has_no_less_than_anybody_but_for_one(limit, wishes):
    """The one is what whole numbers leave over."""
    shares = fair_shares(limit, wishes)
    short = [shares[name] for name, wish in wishes.items() if shares[name] < wish]
    assert all(share >= max(shares.values()) - 1 for share in short)


@given(st.integers(0, 100), WISHES, st.randoms())
def test_all_who_know_the_same_wishes_come_to_the_same_shares(limit, wishes, chance):
    """In whatever order they learned of them: processes agree without speaking to each other."""
    shuffled = list(wishes.items())
    chance.shuffle(shuffled)
    assert fair_shares(limit, dict(shuffled)) == fair_shares(limit, wishes)


def test_a_negative_limit_is_none():
    """As is a negative wish."""
    assert fair_shares(-3, {"a": 2, "b": -1}) == {"a": 0, "b": 0}
