"""Rejections of a person who is erased: found however the message writes the name, and nobody else's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Rejection
from ledger.erased_rejections import is_theirs, readings

NAMES = ("7", "u-7", "Zoë", "李雷", "a/b", 'O"Neil', "anna@x.com", "back\\slash", "\U0001d4b5oe")


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


def test_a_name_is_found_in_other_writings_than_json():
    """As CSV doubles its quotes; as bytes that were no UTF-8 are kept; with blanks around it."""
    assert is_theirs(rejection('1,acme,"O""Neil",words'), "acme", ['O"Neil'], ["beta"])
    latin = '{"tenant": "acme", "user": "Zoë"'.encode("latin-1").decode(errors="backslashreplace")
    assert is_theirs(rejection(latin), "acme", ["Zoë"], ["beta"])
    assert is_theirs(rejection('{"tenant": " acme ", "user": " 7 "'), "acme", ["7"], ["beta"])


def test_a_short_name_is_no_part_of_a_version_or_of_a_sentence():
    """`1` and `al` stand in many a message of others."""
    said = (
        '{"specversion": "1.0", "tenant": "acme", "user": "bob", "data": {"count": 1, "text": "al 1 of it"}}'
    )
    for name in ("1", "al"):
        assert not is_theirs(rejection(said), "acme", [name], [])
        assert is_theirs(rejection(said.replace("bob", name)), "acme", [name], [])
        assert is_theirs(rejection(f"acme,{name},words"), "acme", [name], [])


def test_a_tenant_whose_name_is_a_word_of_messages_claims_none_by_it():
    """A tenant called `user` owns no message because its fields have names."""
    assert is_theirs(rejection('{"user": "anna", "said": '), "acme", ["anna"], ["user", "said", "1"])


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
