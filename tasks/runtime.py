"""The runtime: ledger, model client, clock and ids, opened once a process and reached by the task shells.

Live objects never travel as task parameters; what is open is found here.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Concatenate, ParamSpec, TypeVar
from uuid import uuid4

from evaluation.rubric import DELIVERABLE_RUBRIC
from ledger.engine import Ledger, close_ledger, open_ledger
from ledger.sql import Writable
from tasks.guard import Guard, TenantNames
from tasks.model.client import ModelClient
from tasks.model.paid import PaidCalls, RetryPolicy
from tasks.model.prices import load_prices
from tasks.produce import Producer
from tasks.setting_fields import SettingsError
from tasks.settings import Settings, load_settings
from tasks.stages.base import StageOptions

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Runtime:
    """What is open in this process."""

    settings: Settings
    ledger: Ledger
    calls: PaidCalls
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    owner: str
    tenants: TenantNames
    stop: Event = field(default_factory=Event)
    """Set when this process is to end: nothing new begins."""
    lasts: bool = False
    """Whether the process works for long: what takes much memory for a while has a process of its own then."""
    publishing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever publishes."""

    async def in_ledger(
        self, function: Callable[Concatenate[Ledger, P], R], *args: P.args, **kw: P.kwargs
    ) -> R:
        """What a function of the ledger gives, from a thread of its own."""
        return await asyncio.to_thread(function, self.ledger, *args, **kw)

    async def write(
        self, function: Callable[Concatenate[Writable, P], R], *args: P.args, **kw: P.kwargs
    ) -> R:
        """What a writer of the ledger gives, whose transaction others of this process share."""
        return await self.calls.together(lambda within: function(within, *args, **kw))

    @property
    def producer(self) -> Producer:
        """What producing items takes."""
        return Producer(
            calls=self.calls,
            model=self.settings.generation_model(),
            judge_model=self.settings.judging_model(),
            max_tokens=self.settings.max_output_tokens,
            rubric=DELIVERABLE_RUBRIC,
            guard=Guard(self.settings.never_shown, self.tenants.beside),
        )

    @property
    def stage_options(self) -> StageOptions:
        """The operator's choices about the stages."""
        settings = self.settings
        return StageOptions(settings.top_recommendations, settings.solution_forms, settings.audiences)


_current: ContextVar[Runtime | None] = ContextVar("penstock_runtime", default=None)


def utc_now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh random id of 32 hex digits."""
    return uuid4().hex


def current_runtime() -> Runtime:
    """The runtime this code runs in; RuntimeError outside of `runtime()`."""
    found = _current.get()
    if found is None:
        raise RuntimeError("no runtime is open: enter tasks.runtime.runtime() first")
    return found


@asynccontextmanager
async def runtime(
    settings: Settings | None = None,
    *,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_id,
    stop: Event | None = None,
    lasts: bool = False,
) -> AsyncIterator[Runtime]:
    """The current runtime, or a new one from `settings` for the time of the block."""
    found = _current.get()
    if found is not None:
        yield found
        return
    settings = settings or load_settings()
    ledger = await asyncio.to_thread(open_ledger, settings.ledger_url)
    try:
        async with _client(settings) as client:
            retry = RetryPolicy(settings.retry_delays_s, random.random, patience_s=settings.hold_s)
            calls = PaidCalls(ledger, client, retry, clock, new_id, settings.call_rules)
            owner = f"worker-{new_id()[:8]}"
            tenants = TenantNames(ledger, clock, settings.ordinary_names)
            opened = Runtime(settings, ledger, calls, clock, new_id, owner, tenants, stop or Event(), lasts)
            token = _current.set(opened)
            try:
                yield opened
            finally:
                _current.reset(token)
    finally:
        close_ledger(ledger)


def _client(settings: Settings) -> ModelClient:
    """A client for the provider, or for the offline model where none is configured."""
    key = settings.anthropic_api_key
    if settings.is_offline and settings.offline_url is None:
        raise SettingsError(
            "no model is configured: set ANTHROPIC_API_KEY, or let `penstock up` start the offline model"
        )
    prices = load_prices(settings.prices)
    for model in (settings.generation_model(), settings.judging_model(), settings.diagnosing_model()):
        prices.at(model, utc_now().date())
    return ModelClient(
        api_key=key.get_secret_value() if key else "offline",
        base_url=settings.offline_url if settings.is_offline else settings.anthropic_base_url,
        timeout_s=settings.request_timeout_s,
        max_in_flight=settings.model_requests_in_flight,
        prices=prices,
    )
