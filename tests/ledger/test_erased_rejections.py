"""Rejections of a person who is erased: found however the message writes the name, and nobody else's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Rejection
from ledger.erased_rejections import is_theirs, readings

NAMES = ("u-7", "Zoë", "李雷", "a/b", 'O"Neil', "anna@x.com", "back\\slash", "\U0001d4b5oe")


def rejection(raw, tenant=None):
    """A rejection on record."""
    return Rejection(origin="o", line=1, reason="no", raw=raw, tenant=tenant)


def message(name, tenant="acme", **how):
    """A message as its sender wrote it."""
    return json.dumps({"tenant": tenant, "user": name, "data": {"text": "words"}}, **how)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wraps", [0, 1, 2])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_name_is_found_however_it_is_escaped(name, wraps, is_ascii):
    r"""Escaped or not, with `\/` for slashes, in the body of an envelope of an envelope."""
    raw = message(name, ensure_ascii=is_ascii).replace("/", "\\/")
    for _ in range(wraps):
        raw = json.dumps({"Message": raw}, ensure_ascii=is_ascii)
    assert is_theirs(rejection(raw), "acme", [name], ["beta"])
    assert not is_theirs(rejection(raw), "beta", [name], ["acme"])
    assert not is_theirs(rejection(raw), "acme", ["nobody"], ["beta"])


def test_a_broken_message_of_another_tenant_is_left():
    """Cut off before it could be read, it still says whose it is, in a field or among its values."""
    assert not is_theirs(rejection('{"tenant": "beta", "user": "anna", "data"'), "acme", ["anna"], ["beta"])
    assert not is_theirs(rejection("1,beta,anna,words"), "acme", ["anna"], ["beta"])
    assert not is_theirs(rejection("1,acme,anna,words", "beta"), "acme", ["anna"], [])
    assert is_theirs(rejection("1,acme,anna,beta"), "acme", ["anna"], ["beta"])


def test_a_message_that_is_nobodys_is_erased():
    """What names the person and no tenant at all does not stay because nobody claims it."""
    assert is_theirs(rejection('{"user": "anna", "said": '), "acme", ["anna"], ["beta"])
    assert not is_theirs(rejection('{"user": "joanna", "said": '), "acme", ["anna"], ["beta"])


@given(st.text(), st.text())
def test_any_text_can_be_read(before, after):
    """Broken escapes and lone surrogates make nothing fail, and the text itself is always among the readings."""
    text = f"{before}\\u{after}"
    assert next(iter(readings(text))) == text
    assert len(tuple(readings(text))) <= 5
