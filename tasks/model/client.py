"""The model client: one HTTP request to the Messages API, no retries, explicit time limits.

Who asked and what it cost is recorded by `tasks.model.paid`; here a request goes out and an answer or a
classified failure comes back. The SDK takes a second to load and is imported where it is used: who only pauses a
stage, or lists dead letters, does not wait for it.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import orjson
from pydantic import BaseModel

from contracts.calls import CallFailure, Reply, Usage
from contracts.errors import OperatorError
from tasks.model.prices import PriceTable
from tasks.model.throttle import Throttle

if TYPE_CHECKING:
    import anthropic

PASSING: Final = frozenset({"transient", "throttled"})
"""The kinds of failure after which the same request may succeed."""

LONGEST_WISH_S: Final = 86_400.0

_TRANSIENT_STATUS: Final = frozenset({408, 409})
_THROTTLED_STATUS: Final = 429
_SERVER_ERROR: Final = 500


@dataclass(frozen=True)
class ModelRequest:
    """What is asked. `reply` is the type the answer must have; its JSON schema constrains the model."""

    model: str
    system: str
    user: str
    reply: type[BaseModel]
    max_tokens: int

    @cached_property
    def body(self) -> dict[str, Any]:
        """The request as it goes over the wire."""
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": self.system,
            "messages": [{"role": "user", "content": self.user}],
            "output_config": {"format": {"type": "json_schema", "schema": _schema(self.reply)}},
        }

    @property
    def characters(self) -> int:
        """How long the question is."""
        return len(self.system) + len(self.user)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the body: the identity of what is asked."""
        return sha256(orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)).hexdigest()


class ModelCallError(OperatorError):
    """A call without a usable answer; `retry_after` is the provider's wish in seconds, where it gave one."""

    def __init__(self, failure: CallFailure, retry_after: float | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after = retry_after

    @property
    def is_transient(self) -> bool:
        """True when the same request may succeed later."""
        return self.failure.kind in PASSING


@dataclass
class ModelClient:
    """A connection pool to one provider address, bounded in requests in flight. Use as a context manager."""

    api_key: str
    base_url: str | None
    timeout_s: float
    max_in_flight: int
    prices: PriceTable
    _sdk: "anthropic.AsyncAnthropic" = field(init=False, repr=False)
    throttle: Throttle = field(init=False, repr=False)
    """To be passed around recording a call and `ask`: what is on record is out."""

    def __post_init__(self) -> None:
        self.throttle = Throttle(self.max_in_flight)

    async def __aenter__(self) -> Self:
        import anthropic  # noqa: PLC0415

        self._sdk = anthropic.AsyncAnthropic(
            api_key=self.api_key, base_url=self.base_url, timeout=self.timeout_s, max_retries=0
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sdk.close()

    async def ask(self, request: ModelRequest, call_id: str) -> Reply:
        """The answer, priced; `ModelCallError` for everything else. `call_id` travels as a header."""
        price = self.prices.at(request.model, datetime.now(UTC).date())
        started = time.perf_counter()
        with _in_our_terms(started):
            message = await self._sdk.messages.create(
                **request.body, extra_headers={"x-penstock-call": call_id}
            )
            usage = _usage(message.usage)
            reply = Reply(
                text="".join(block.text for block in message.content if block.type == "text"),
                model=message.model,
                stop_reason=message.stop_reason or "unknown",
                usage=usage,
                cost_usd=price.cost(usage),
                latency_ms=_elapsed_ms(started),
            )
        if reply.stop_reason != "end_turn":
            raise ModelCallError(_unusable(reply))
        return reply

    async def reachable(self) -> Mapping[str, Any]:
        """The provider's list of models, as a cheap proof that address and key are good."""
        with _in_our_terms(time.perf_counter()):
            page = await self._sdk.models.list(limit=20, timeout=10)
            return {"models": [model.id for model in page.data]}


@cache
def _schema(reply: type[BaseModel]) -> dict[str, Any]:
    import anthropic  # noqa: PLC0415

    return anthropic.transform_schema(reply)


@contextmanager
def _in_our_terms(started: float) -> Iterator[None]:
    """Every way an answer can fail to come, as `ModelCallError`."""
    import anthropic  # noqa: PLC0415

    try:
        yield
    except anthropic.APIError as error:
        raise _classified(error, _elapsed_ms(started)) from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        # The SDK takes a success to have its shape; at a wrong address anything may answer with one, of any depth.
        failure = CallFailure(
            error="NotAModelApi",
            message=f"the answer is not one of the Messages API ({error}); check ANTHROPIC_BASE_URL",
            kind="invalid",
            latency_ms=_elapsed_ms(started),
        )
        raise ModelCallError(failure) from error


def _elapsed_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _usage(usage: "anthropic.types.Usage") -> Usage:
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
    )


def _classified(error: "anthropic.APIError", latency_ms: float) -> ModelCallError:
    """The SDK's error in our terms."""
    status = getattr(error, "status_code", None)
    failure = CallFailure(
        error=type(error).__name__,
        message=f"HTTP {status}: {error.message}" if status else f"{error.message} ({_address(error)})",
        kind=_kind(status),
        latency_ms=latency_ms,
    )
    return ModelCallError(failure, _retry_after(error))


def _kind(status: int | None) -> Literal["transient", "throttled", "rejected"]:
    """What a status says about asking again; None is a request without an answer."""
    if status == _THROTTLED_STATUS:
        return "throttled"
    if status is None or status in _TRANSIENT_STATUS or status >= _SERVER_ERROR:
        return "transient"
    return "rejected"


def _address(error: "anthropic.APIError") -> str:
    """Where the request went, without a user and password that may stand in it."""
    return str(error.request.url.copy_with(userinfo=b""))


def _retry_after(error: "anthropic.APIError") -> float | None:
    """Seconds in the `retry-after` header, a day at most; dates and nonsense count as none (RFC 9110, 10.2.3)."""
    import anthropic  # noqa: PLC0415

    if not isinstance(error, anthropic.APIStatusError):
        return None
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(0.0, seconds), LONGEST_WISH_S) if math.isfinite(seconds) else None


def _unusable(reply: Reply) -> CallFailure:
    """A paid answer that ended early: refused by the model, or cut at its token limit."""
    is_refusal = reply.stop_reason == "refusal"
    return CallFailure(
        error="ModelRefused" if is_refusal else "AnswerCut",
        message="the model refused to answer"
        if is_refusal
        else f"the answer ended early ({reply.stop_reason})",
        kind="refused" if is_refusal else "invalid",
        usage=reply.usage,
        cost_usd=reply.cost_usd,
        latency_ms=reply.latency_ms,
    )
