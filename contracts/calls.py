"""Model calls: what was asked, what came back, what it cost. One value a call, one row in the ledger."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract


class Purpose(StrEnum):
    """Why a model was called."""

    GENERATE = "generate"
    JUDGE = "judge"
    DIAGNOSE = "diagnose"


class CallState(StrEnum):
    """STARTED before the request leaves; SUCCEEDED or FAILED when its answer is recorded."""

    STARTED = "STARTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class CallIdentity(Contract):
    """Who a call is for, written before it leaves.

    `request_hash` is over model, system, messages and schema: the identity of what was asked. `attempt` counts the
    times it has been sent in this turn, from 1.
    """

    id: str
    batch: str
    tenant: str
    user: str | None
    feature: str
    pipeline: str
    stage: str
    item: str
    purpose: Purpose
    model: str
    prompt_version: str
    rubric_version: str | None
    request_hash: str
    attempt: int = 1
    started_at: datetime


Tokens = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""As many as a ledger's column holds; more, or fewer than none, is no count that a provider means."""


class Usage(Contract):
    """Tokens as the provider reports them; the four kinds are disjoint and priced apart."""

    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    cache_read_tokens: Tokens = 0

    @property
    def throttled_tokens(self) -> int:
        """What counts against tokens a minute: all but what came from the provider's cache."""
        return self.input_tokens + self.cache_write_tokens + self.output_tokens


class Reply(Contract):
    """A paid answer: its text, the model that gave it, why it stopped, its usage and price."""

    text: str
    model: str
    stop_reason: str
    usage: Usage
    cost_usd: Decimal
    latency_ms: float


class CallFailure(Contract):
    """A call that brought no usable answer, in words an operator understands.

    `transient`: no answer, the same may succeed later; `throttled`: the model is there and wants fewer requests;
    `rejected`, `refused`, `invalid`: the same would fail again.
    """

    error: str
    message: str
    kind: Literal["transient", "throttled", "rejected", "refused", "invalid"]
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    latency_ms: float = 0.0
