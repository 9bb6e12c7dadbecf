"""Paid calls: a request's identity is in the ledger before it leaves, and its answer is never paid twice.

This module owns the retries of model calls: the only ones there are. The SDK's are off.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Concatenate, Final, ParamSpec, TypeGuard

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from contracts.calls import CallFailure, CallIdentity, Purpose, Reply, Usage
from ledger.call_rules import DEFAULT_RULES, CallHeldError, CallRules
from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.sql import Writable
from ledger.work import begin_call, settle_call
from tasks.model.client import ModelCallError, ModelClient, ModelRequest
from tasks.model.slots import NoSlotsError
from tasks.model.throttle import Passenger
from tasks.together import Together
from tasks.uninterrupted import uninterrupted

P = ParamSpec("P")

JITTER = 0.2
UNTIL_THERE_ARE_SLOTS: Final = timedelta(seconds=60)
"""How long a batch is held that a cap lets ask nothing."""


@dataclass(frozen=True)
class Caller:
    """Whom a call is for: what its cost is booked to, and the lease under which it may be made.

    Without a lease nobody else can have the batch.
    """

    batch: str
    tenant: str
    user: str | None
    feature: str
    pipeline: str
    stage: str
    item: str
    lease: str | None = None
    rank: int = 0
    """Whose turn it is among those that wait for the throttle: the highest first."""


@dataclass(frozen=True)
class Question:
    """A request with its purpose and the versions that made it."""

    purpose: Purpose
    request: ModelRequest
    prompt_version: str
    rubric_version: str | None = None


@dataclass(frozen=True)
class PaidReply:
    """An answer. `call_id` is the open call to settle with it, or None when it was paid for earlier."""

    call_id: str | None
    reply: Reply

    @property
    def settlement(self) -> tuple[str, Reply] | None:
        """What the ledger's writers take to settle the call in their own transaction."""
        return None if self.call_id is None else (self.call_id, self.reply)


@dataclass(frozen=True)
class RetryPolicy:
    """Waits between attempts in seconds, spread by +-20 %; `spread` gives a number in 0..1.

    Who is told to wait longer than `patience_s` does not wait on the spot.
    """

    delays_s: tuple[float, ...]
    spread: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    patience_s: float = 60.0

    def wait(self, state: RetryCallState) -> float:
        """Seconds before the next attempt: the provider's `retry-after` where it is longer."""
        if state.attempt_number > len(self.delays_s):
            return 0.0  # asked for after the last attempt too, and not kept
        planned = self.delays_s[state.attempt_number - 1] * (1 + JITTER * (2 * self.spread() - 1))
        error = state.outcome.exception() if state.outcome else None
        wished = error.retry_after if isinstance(error, ModelCallError) else None
        return max(planned, wished or 0.0)


@dataclass(frozen=True)
class PaidCalls:
    """The ledger and the client together: asks, records, retries."""

    ledger: Ledger
    client: ModelClient
    retry: RetryPolicy
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    rules: CallRules = DEFAULT_RULES

    @cached_property
    def together(self) -> Together:
        """Writes of this process that come up at once, in one transaction."""
        return Together(self.ledger)

    async def ask(self, who: Caller, question: Question) -> PaidReply:
        """The answer to `question`, from the ledger if it was paid for, else from the model.

        Raises:
            ModelCallError: the call failed for good: rejected, refused, cut, or transient after every retry.
            CallHeldError: a pause, an open breaker, a spent retry budget or a cap of nothing stands in its way.
            LeaseLostError: the caller's lease no longer holds the batch; another worker may be asking the same.
        """
        try:
            async for attempt in self._attempts(self._is_worth_waiting):
                with attempt:
                    return await self._attempt(who, question, attempt.retry_state.attempt_number)
        except NoSlotsError as error:
            resume_at = self.clock() + UNTIL_THERE_ARE_SLOTS
            raise CallHeldError(str(error), resume_at=resume_at) from error
        except ModelCallError as error:
            if not error.is_transient or self._is_worth_waiting(error):
                raise
            raise self._held(error, question.request.model) from error
        raise AssertionError("tenacity ends with an answer or an error")

    def _is_worth_waiting(self, error: BaseException) -> bool:
        return _is_transient(error) and (error.retry_after or 0.0) <= self.retry.patience_s

    def _held(self, error: ModelCallError, model: str) -> CallHeldError:
        """What holds the batch for as long as the provider wants to be left alone."""
        wished = error.retry_after or 0.0
        resume_at = self.clock() + timedelta(seconds=wished)
        return CallHeldError(f"{model} asks to be left alone for {wished:.0f} s", resume_at=resume_at)

    def _attempts(self, may_pass: Callable[[BaseException], bool]) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(len(self.retry.delays_s) + 1),
            wait=self.retry.wait,
            sleep=self.retry.sleep,
            reraise=True,
        )

    async def _attempt(self, who: Caller, question: Question, number: int) -> PaidReply:
        request = question.request
        # What waits for its turn is not yet on record: every call that is has left, and may have been paid for.
        async with self.client.throttle.passed(
            Passenger(request.model, who.tenant, request.characters, who.rank)
        ) as passage:
            call_id = self.new_id()
            identity = self._identity(call_id, who, question, number)
            earlier = await self._begun(identity, who.lease)
            if earlier is not None:
                passage.used(Usage())
                return PaidReply(None, earlier)
            with passage.asked():
                answer = await self._answer(request, call_id)
            if isinstance(answer, Reply):
                passage.used(answer.usage)
                return PaidReply(call_id, answer)
            if answer.failure.usage != Usage():
                passage.used(answer.failure.usage)  # cut, or refused, it has cost its tokens all the same
        # The slot is free by now: the cap is the provider's, and what is written down takes none of it.
        await self._settle(call_id, answer.failure)
        raise answer

    async def _answer(self, request: ModelRequest, call_id: str) -> Reply | ModelCallError:
        try:
            return await self.client.ask(request, call_id)
        except ModelCallError as error:
            return error

    async def _begun(self, identity: CallIdentity, lease: str | None) -> Reply | None:
        """A first request's record shares a transaction with others'; those of retries take turns at a lock."""
        if identity.attempt == 1:
            return await self.together(lambda within: begin_call(within, identity, self.rules, lease))
        return await asyncio.to_thread(begin_call, self.ledger, identity, self.rules, lease)

    async def keep(
        self, write: Callable[Concatenate[Writable, P], None], *args: P.args, **kw: P.kwargs
    ) -> None:
        """Write down what was paid for. A ledger that fails is asked again, as a model is: what is lost is paid twice.

        Who is cancelled meanwhile ends only after it is written.

        Raises:
            LedgerFaultError: it failed each time. The call stays in doubt.
        """
        attempts = self._attempts(_is_fault)
        await uninterrupted(attempts(self.together, lambda within: write(within, *args, **kw)))

    async def settle(self, paid: PaidReply) -> None:
        """Settle an answer that has no other row to be written with it."""
        if paid.call_id is not None:
            await self._settle(paid.call_id, paid.reply)

    async def reject(self, paid: PaidReply, reason: str) -> ModelCallError:
        """Record that a paid answer is unusable, with its cost; returns the error to raise."""
        failure = CallFailure(
            error="AnswerUnusable",
            message=reason,
            kind="invalid",
            usage=paid.reply.usage,
            cost_usd=paid.reply.cost_usd,
            latency_ms=paid.reply.latency_ms,
        )
        if paid.call_id is not None:
            await self._settle(paid.call_id, failure)
        return ModelCallError(failure)

    async def _settle(self, call_id: str, outcome: Reply | CallFailure) -> None:
        await self.keep(settle_call, call_id, outcome, self.clock(), self.rules)

    def _identity(self, call_id: str, who: Caller, question: Question, number: int) -> CallIdentity:
        return CallIdentity(
            id=call_id,
            batch=who.batch,
            tenant=who.tenant,
            user=who.user,
            feature=who.feature,
            pipeline=who.pipeline,
            stage=who.stage,
            item=who.item,
            purpose=question.purpose,
            model=question.request.model,
            prompt_version=question.prompt_version,
            rubric_version=question.rubric_version,
            request_hash=question.request.hash,
            attempt=number,
            started_at=self.clock(),
        )


def _is_fault(error: BaseException) -> bool:
    return isinstance(error, LedgerFaultError)


def _is_transient(error: BaseException) -> TypeGuard[ModelCallError]:
    return isinstance(error, ModelCallError) and error.is_transient
