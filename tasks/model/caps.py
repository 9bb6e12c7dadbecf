"""The caps on requests to models, by the names that Prefect's global concurrency limits have."""

import re
from dataclasses import dataclass
from typing import Final

REQUESTS: Final = "penstock-model-requests"
"""The cap on all requests in flight, of all processes together. It has to exist."""
TOKENS: Final = "penstock-model-tokens"
_BANNED: Final = re.compile(r"[/%&<>]")
"""What a name may not hold in Prefect (`prefect._internal.schemas.validators`)."""

BURST: Final = 0.1
"""Of a minute's tokens, what may be used at once."""


@dataclass(frozen=True)
class Cap:
    """A limit as it is to be in Prefect: slots, and how many of them free themselves each second."""

    name: str
    slots: int
    decay: float = 0.0


def requests_of_model(model: str) -> str:
    """The cap on a model's requests in flight."""
    return f"{REQUESTS}:{_named(model)}"


def requests_of_tenant(tenant: str) -> str:
    """The cap on a tenant's requests in flight."""
    return f"{REQUESTS}@{_named(tenant)}"


def tokens_of_model(model: str) -> str:
    """The cap on a model's tokens a minute, as a limit whose slots decay."""
    return f"{TOKENS}:{_named(model)}"


def cap_of_tokens(model: str, a_minute: int) -> Cap:
    """No minute has more than `a_minute` tokens: what may be used at once, and what comes back meanwhile."""
    at_once = max(1, int(a_minute * BURST))
    return Cap(tokens_of_model(model), at_once, (a_minute - at_once) / 60)


def _named(of: str) -> str:
    return _BANNED.sub("_", of)
