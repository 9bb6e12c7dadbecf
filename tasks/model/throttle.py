"""What a request needs before it leaves: a slot of every cap on it, and its tokens.

Here is what this process may use now. Who provides it, from limits that all processes share, is `flows.throttle`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from contracts.calls import Usage
from tasks.model.caps import REQUESTS, requests_of_model, requests_of_tenant, tokens_of_model
from tasks.model.slots import Hold, Slots
from tasks.model.tokens import TokenPurse

CHARACTERS_A_TOKEN: Final = 4
FIRST_ANSWER: Final = 500
"""Tokens that an answer is expected to have before one has come."""
WEIGHT: Final = 0.1
"""Of the newest answer's length in what is expected of the next."""


@dataclass(frozen=True)
class Passenger:
    """Who wants to pass: for which model and tenant, with how many characters; a higher rank goes first."""

    model: str
    tenant: str
    characters: int
    rank: int = 0


@dataclass(frozen=True)
class Passage:
    """What a request holds. It tells what it `used`, if it knows, and when the provider has it."""

    holds: Sequence[Hold]
    used: Callable[[Usage], None]

    @contextmanager
    def asked(self) -> Iterator[None]:
        """For the time that the provider has the request. Broken off, as by a cancellation, it has it still."""
        self._set(is_asked=True)
        try:
            yield
        except Exception:
            self._set(is_asked=False)
            raise
        self._set(is_asked=False)

    def _set(self, *, is_asked: bool) -> None:
        for hold in self.holds:
            hold.is_asked = is_asked


class Throttle:
    """The caps on this process's requests. Without anybody who provides, `most` may be in flight."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.short = asyncio.Event()
        """Set when a request has to wait; whoever provides clears it."""
        self.slots = {REQUESTS: Slots(most, self.short)}
        self.purses: dict[str, TokenPurse] = {}
        self._answers: dict[str, float] = {}

    @asynccontextmanager
    async def passed(self, who: Passenger) -> AsyncIterator[Passage]:
        """Hold what the request needs for the time of the block.

        The special caps come first: who waits for one of them keeps nobody else from the slots of all.

        Raises:
            NoSlotsError: one of the caps allows nothing for now.
        """
        async with AsyncExitStack() as held:
            tokens = tokens_of_model(who.model)
            bill = None
            if (purse := self.purses.get(tokens)) is not None:
                bill = await held.enter_async_context(purse.spent(self._expected(who), who.rank))
            names = (requests_of_tenant(who.tenant), requests_of_model(who.model), REQUESTS)
            caps = [slots for name in names if (slots := self.slots.get(name)) is not None]
            holds = [await held.enter_async_context(slots.taken(who.rank)) for slots in caps]

            def used(usage: Usage) -> None:
                if usage.output_tokens:
                    expected = self._answers.get(who.model, float(FIRST_ANSWER))
                    self._answers[who.model] = expected + WEIGHT * (usage.output_tokens - expected)
                if bill is not None:
                    bill.tokens = usage.throttled_tokens

            yield Passage(holds, used)

    def _expected(self, who: Passenger) -> int:
        answer = self._answers.get(who.model, float(FIRST_ANSWER))
        return who.characters // CHARACTERS_A_TOKEN + round(answer)
