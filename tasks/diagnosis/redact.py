"""Redaction: secrets out of any text before it is shown, stored or sent.

Two ways, both applied: values known to be secret, wherever and however they are written, and shapes that only
secrets have. It errs on the side of taking out too much.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

PLACEHOLDER: Final = "[redacted]"

_SECRET_NAME: Final = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)\Z", re.IGNORECASE)
_SHORTEST_VALUE: Final = 6  # shorter ones ("1", "true") stand in any text by chance
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_NAMED: Final = r"(?:password|passwd|pwd|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key)"
_PEM: Final = r"[A-Z ]{0,40}PRIVATE KEY-----"
_PEM_BODY: Final = r"[\w+/=\s:,.\\\"'-]"


class _Shape:
    """A shape that only secrets have. It is looked for only where one of its `cues` stands, in lower case."""

    def __init__(self, cues: str, pattern: str) -> None:
        self.cues = cues.split()
        self.pattern = re.compile(pattern)

    def may_be_in(self, lower: str) -> bool:
        """False when it cannot be in the text whose lower case this is."""
        return not self.cues or any(cue in lower for cue in self.cues)


_NAMED_CUES: Final = (
    "passw pwd secret token credential apik api_k api-k accessk access_ access-k privatek private_ private-k"
)
# The first group of a shape, where it has one, is kept: it says what was there. Repetitions are bounded or
# cannot fail, so that no text takes more than linear time.
_SHAPES: Final = tuple(
    _Shape(cues, pattern)
    for cues, pattern in (
        ("-----begin", rf"-----BEGIN {_PEM}(?:{_PEM_BODY}*?-----END {_PEM}|{_PEM_BODY}*)"),
        ("sk-", r"\bsk-[\w-]{8,}"),
        ("akia asia abia acca", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"),
        # An AWS secret key has no prefix: 40 characters of base64 with both cases and a digit.
        (
            "",
            r"(?<![\w/+=])(?=[\w/+]{40}(?![\w/+=]))(?=[^a-z]{0,39}[a-z])(?=[^A-Z]{0,39}[A-Z])(?=\D{0,39}\d)[A-Za-z0-9/+]{40}",
        ),
        (
            "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ xox aiza whsec_",
            r"\b(?:gh[pousr]_|github_pat_|xox[abeprs]-|AIza|whsec_)[\w+/=-]{8,}",
        ),
        ("eyj", r"\beyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?"),
        ("bearer", r"(?i)(\bbearer\s{1,3})[^\s\"'<>]{6,}"),
        (
            "authorization x-api-key",
            r"(?i)(\b(?:authorization|x-api-key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:\w{1,20}\s{1,3})?)[^\s\"'<>]{4,}",
        ),
        ("://", r"(://[^\s/@:]{0,256}:)\S{1,512}(?=@)"),
        ("://", r"(://)[^\s/@:]{20,256}(?=@)"),
        (
            "=",
            r"(?i)([?&][\w.-]{0,40}(?:signature|credential|token|secret|password|key|sig)=)[^\s&\"'<>]+",
        ),
        ("key= token= secret= password=", r"(\b[A-Z][A-Z0-9_]{0,80}(?:KEY|TOKEN|SECRET|PASSWORD)=)[^\s\"']+"),
        (
            _NAMED_CUES,
            rf"(?i)({_NAMED}[\"']?\s{{0,3}}[:=]\s{{0,3}})(?:\"[^\"\n]{{4,}}\"|'[^'\n]{{4,}}')",
        ),
        # Bare values count with a digit only: `token = next(tokens)` is code, not a secret.
        (_NAMED_CUES, rf"(?i)({_NAMED}\s{{0,3}}[:=]\s{{0,3}})(?=[^\s\d]{{0,256}}\d)[^\s\"',;&<>]{{4,}}"),
    )
)


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` without secrets and without characters that cannot be stored or shown.

    `secrets` are values to take out as they are, escaped as in JSON or `repr`, or quoted as in an address;
    those shorter than 6 characters are left. Line breaks are kept, so line numbers stay true.
    """
    return without_credentials(without_values(plain(text), secrets))


def without_values(text: str, secrets: Sequence[str]) -> str:
    """`text` without these values, as they are or escaped, and otherwise to the letter as it was."""
    for spelling in _spellings(secrets):
        text = text.replace(spelling, _in_place_of(spelling))
    return text


def without_credentials(text: str) -> str:
    """`text` without what has the shape of a secret, and otherwise to the letter as it was."""
    lower = text.lower()
    for shape in _SHAPES:
        if shape.may_be_in(lower):
            text = shape.pattern.sub(_masked, text)
    return text


def credentials(text: str) -> tuple[str, ...]:
    """What in `text` has a shape that only secrets have."""
    lower = text.lower()
    shapes = (shape for shape in _SHAPES if shape.may_be_in(lower))
    return tuple(match.group() for shape in shapes for match in shape.pattern.finditer(text))


def redact_within(value: Any, secrets: Sequence[str] = ()) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value with every text in it redacted, names of members too."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {redact(name, secrets): redact_within(member, secrets) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [redact_within(member, secrets) for member in value]
    return value


def environment_secrets(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Values of the variables whose names end in KEY, TOKEN, SECRET or PASSWORD; default `os.environ`."""
    variables = os.environ if environ is None else environ
    return tuple(value for name, value in variables.items() if is_secret_name(name))


def is_secret_name(name: str) -> bool:
    """True for a name that announces a secret, such as `ANTHROPIC_API_KEY`."""
    return _SECRET_NAME.search(name) is not None


def plain(text: str) -> str:
    """`text` as an exact `str` of printable characters: no lone surrogates, NULs or terminal escapes."""
    whole = str.encode(text, "utf-8", "replace").decode()  # unbound: a subclass may override everything
    return _UNPRINTABLE.sub("", whole.replace("\r\n", "\n").replace("\r", "\n"))


def _spellings(secrets: Iterable[str]) -> list[str]:
    """Every way each secret may be written, longest first so that none is cut by a shorter one."""
    found: set[str] = set()
    for secret in secrets:
        value = plain(secret).strip()
        if len(value) >= _SHORTEST_VALUE:
            found |= {value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value), quote(value, safe="")}
    return sorted(found, key=len, reverse=True)


def _masked(match: re.Match[str]) -> str:
    kept = match.group(1) if match.re.groups else ""
    return kept + _in_place_of(match.group()[len(kept) :])


def _in_place_of(secret: str) -> str:
    return PLACEHOLDER + "\n" * secret.count("\n")
