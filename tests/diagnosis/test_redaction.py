"""No secret survives, however it is written and whatever stands around it."""

import json
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.diagnosis.redact import PLACEHOLDER, environment_secrets, redact
from tasks.diagnosis.safely import bounded

LETTERS = "abcdefghijkLMNOPQRSTUVWXYZ0123456789"
ANYTHING = st.text(st.characters(codec=None), max_size=80)

# (text, what must be gone, what must still be there)
WRITTEN = [
    ("key sk-ant-api03-Zx81_qq-22 was used", "sk-ant", "was used"),
    ("AKIAIOSFODNN7EXAMPLE is the id", "AKIA", "is the id"),
    ("aws wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY done", "wJalr", "done"),
    ("Authorization: Bearer abcdefghijkl", "abcdefghijkl", "Authorization"),
    ("authorization: Basic dXNlcjpwYXNz, next", "dXNlcj", "authorization"),
    ("'x-api-key': 'onlyletters'", "onlyletters", "x-api-key"),
    ("postgresql://ana:hunter2@db:5432/x", "hunter2", "@db:5432/x"),
    ("postgresql://ana:hun@ter/2@db:5432/x", "ter/2", "@db:5432/x"),
    ("https://abcdefghijklmnopqrstuvwx@example.com", "abcdefghij", "@example.com"),
    ("https://example.com/f?X-Amz-Signature=abc&n=1", "abc", "n=1"),
    ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0 end", "eyJ", "end"),
    ("whsec_abcdefgh1234 end", "whsec", "end"),
    ("ghp_abcdefgh1234abcd end", "ghp_", "end"),
    ('{"password": "correct horse"}', "horse", "password"),
    ("password=hunter22 user=ana", "hunter22", "user=ana"),
    ("STRIPE_KEY=abcdefgh next", "abcdefgh", "next"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEv\nAAAA==\n-----END RSA PRIVATE KEY-----", "MIIEv", PLACEHOLDER),
]

SHAPES = [
    lambda s: f"sk-ant-api03-{s}",
    lambda s: f"AKIA{s.upper()}",
    lambda s: f"Bearer {s}",
    lambda s: f"redis://user:{s}@localhost:6379/0",
    lambda s: f"api_key='{s}'",
    lambda s: f"MY_SERVICE_TOKEN={s}",
]


@pytest.mark.parametrize(("text", "gone", "kept"), WRITTEN)
def test_each_shape_of_secret_goes_and_its_surroundings_stay(text, gone, kept):
    """Keys, tokens, passwords and signatures are replaced; what tells the reader where they stood is kept."""
    clean = redact(text)
    assert gone not in clean
    assert kept in clean
    assert PLACEHOLDER in clean


@pytest.mark.parametrize(
    "text",
    [
        "token = next(tokens)",
        "max_tokens=8000",
        "the secret of good tea",
        "password: str = Field(min_length=8)",
        "see https://example.com:8080/path?page=2",
        "0123456789abcdef0123456789abcdef01234567",
        "File tasks/diagnosis/redact.py, line 12, in redact",
    ],
)
def test_what_is_no_secret_stays(text):
    """Code, prose, addresses and commit hashes pass unchanged."""
    assert redact(text) == text


@given(
    before=ANYTHING,
    canary=st.text(LETTERS, min_size=16, max_size=30),
    shape=st.sampled_from(SHAPES),
    after=ANYTHING,
)
def test_planted_secrets_never_survive_in_any_surroundings(before, canary, shape, after):
    """Whatever text is around it, the secret part of a known shape is gone."""
    assume(canary.upper() not in f"{before} {after}".upper())
    clean = redact(f"{before} {shape(canary)} {after}")
    assert canary not in clean
    assert canary.upper() not in clean


@given(st.text(string.ascii_letters + string.punctuation + " \n\u00e9\u20ac", min_size=8, max_size=40))
def test_known_values_go_in_every_spelling(secret):
    """A value known to be secret goes as it is, JSON-escaped, as a repr and URL-quoted, wholly."""
    assume(secret == secret.strip())
    for spelling in (
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(secret),
        quote(secret, safe=""),
    ):
        lines = "\n" * spelling.count("\n")
        assert redact(f"|{spelling}|", (secret,)) == f"|{PLACEHOLDER}{lines}|"


def test_values_too_short_to_be_told_from_words_stay():
    """`KEY=1` in the environment does not turn every 1 into a placeholder."""
    assert redact("1 of 10 is true", ("1", "true", "")) == "1 of 10 is true"


def test_longer_secrets_go_before_those_they_contain():
    """A secret that begins another does not leave the other's tail behind."""
    assert redact("abcdefgh-tail", ("abcdefgh", "abcdefgh-tail")) == PLACEHOLDER


def test_secrets_of_the_environment_are_found_by_name():
    """Variables whose names end in KEY, TOKEN, SECRET or PASSWORD are secrets, in any case."""
    environ = {"A_KEY": "1", "b_token": "2", "C_SECRET": "3", "DBPASSWORD": "4", "KEYBOARD": "5", "HOME": "6"}
    assert environment_secrets(environ) == ("1", "2", "3", "4")


def test_the_running_environment_is_the_default(monkeypatch):
    """Without an argument the variables of this process are read."""
    monkeypatch.setenv("CANARY_TEST_TOKEN", "canary-in-the-mine")
    assert "canary-in-the-mine" in environment_secrets()


def test_line_numbers_stay_true():
    """A secret over several lines leaves as many line breaks as it had."""
    text = "a\nPEM = '''-----BEGIN PRIVATE KEY-----\nMIIE\nxyz\n-----END PRIVATE KEY-----'''(b)\nc"
    assert redact(text).count("\n") == text.count("\n")
    assert redact("x\none\ntwo two\ny", ("one\ntwo two",)) == f"x\n{PLACEHOLDER}\n\ny"


@given(ANYTHING)
def test_what_comes_out_can_be_stored_and_shown(text):
    """No lone surrogate, NUL or terminal escape is left, and redaction never fails."""
    clean = redact(text)
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert not set(clean) & {"\x00", "\x1b", "\x07"}


def test_a_very_long_text_is_cut_without_leaving_half_a_secret():
    """A secret that stands across the seam of a long text leaves no part of itself."""
    secret = "Canary" + "q7" * 30
    for shift in range(0, 60, 7):
        text = "x" * (100_000 - shift) + secret + "y" * 100_000
        clean = bounded(text, (secret,), 500_000)
        assert "Canary" not in clean
        assert "[... cut ...]" in clean


@given(text=st.text(max_size=300), limit=st.integers(0, 200))
def test_bounds_hold(text, limit):
    """A text is never longer than its limit, and whole where it fits."""
    cut = bounded(text, (), limit)
    assert len(cut) <= limit
    if len(redact(text)) <= limit:
        assert cut == redact(text)
