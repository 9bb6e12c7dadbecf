"""The cost throttle: what Prefect's limits allow all processes together, provided to this one's requests.

A cap that the settings name has to exist: where somebody deletes it, no model is called. One that an operator made
in the UI alone is in force for as long as it exists.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import PrefectException
from prefect.logging import get_logger

from flows.bank import SlotBank, Terms
from flows.token_bank import TokenBank
from ledger.errors import LedgerFaultError
from tasks.model.caps import REQUESTS, TOKENS
from tasks.model.slots import Slots
from tasks.model.tokens import TokenPurse
from tasks.runtime import Runtime

EVERY_S: Final = 2.0
"""Between looks while there is work; a limit changed in the UI is in force then."""
SCARCE_S: Final = 0.3
"""Between looks while others may give back what is wanted here."""
IDLE_S: Final = 5.0
LEAST_S: Final = 0.05
PAGE: Final = 200

_AWAY: Final = (httpx.HTTPError, PrefectException, LedgerFaultError)
Bank = SlotBank | TokenBank
Limits = dict[str, GlobalConcurrencyLimitResponse]


class Provider:
    """Provides the slots and tokens of a process, cap by cap."""

    def __init__(self, run: Runtime, client: PrefectClient) -> None:
        self._run, self._client = run, client
        self._throttle = run.calls.client.throttle
        self._needed = frozenset(cap.name for cap in run.settings.caps)
        self._banks: dict[str, Bank] = {}

    async def look(self) -> None:
        """Bring every cap to what its limit allows now."""
        limits = await self._limits()
        for name in sorted(self._needed | limits.keys() | self._banks.keys()):
            limit = limits.get(name)
            bank = self._banks.get(name) or self._opened(name)
            if limit is None or not (limit.active and limit.limit > 0):
                is_off = limit is not None and not limit.active
                await bank.close(_why_nothing(name, limit), keeps=is_off)
            elif not bank.is_idle or bank.is_closed:
                await bank.look(limit)
            if limit is None and name not in self._needed:
                self._forget(name)

    async def keep(self) -> None:
        """Look for as long as nobody cancels. What is away is asked again; meanwhile leases that last are used."""
        while True:
            await self._until_next()
            try:
                await self._look_patiently()
            except _AWAY as error:
                get_logger("penstock").warning("cannot look after the cost throttle now: %s", error)
                self._use_what_lasts()

    async def _look_patiently(self) -> None:
        """A look; while the server makes it wait, for a minute where it is away, leases that run out are not used."""
        looking = asyncio.ensure_future(self.look())
        try:
            while not (await asyncio.wait([looking], timeout=EVERY_S))[0]:
                self._use_what_lasts()
        except asyncio.CancelledError:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            raise
        looking.result()

    def _use_what_lasts(self) -> None:
        for bank in self._banks.values():
            bank.use_what_lasts()

    async def close(self) -> None:
        """Give back what was leased; leases that cannot be given back now run out."""
        for bank in self._banks.values():
            with suppress(*_AWAY):
                await bank.close("no work is under way in this process")
                await bank.leave()
        for name in tuple(self._banks):
            self._forget(name)
        self._throttle.slots[REQUESTS] = Slots(self._throttle.most, self._throttle.short)

    async def _limits(self) -> Limits:
        found: Limits = {}
        while page := await self._client.read_global_concurrency_limits(limit=PAGE, offset=len(found)):
            found |= {limit.name: limit for limit in page}
            if len(page) < PAGE:
                break
        return {name: limit for name, limit in found.items() if name.startswith((REQUESTS, TOKENS))}

    def _opened(self, name: str) -> Bank:
        """The bank of a cap that nobody has provided for so far: nothing begins before its first look."""
        throttle = self._throttle
        if name.startswith(TOKENS):
            purse = throttle.purses.setdefault(name, TokenPurse(throttle.short))
            bank: Bank = TokenBank(self._client, purse)
        else:
            slots = throttle.slots.setdefault(name, Slots(0, throttle.short))
            slots.lower(0)
            longest = timedelta(seconds=self._run.settings.request_timeout_s)
            bank = SlotBank(
                self._run,
                self._client,
                slots,
                Terms(name, self._run.settings.process_requests_in_flight, longest),
            )
        return self._banks.setdefault(name, bank)

    def _forget(self, name: str) -> None:
        self._banks.pop(name, None)
        self._throttle.slots.pop(name, None)
        self._throttle.purses.pop(name, None)

    async def _until_next(self) -> None:
        """Soon where a request waits that might begin at once; else in a while."""
        short = self._throttle.short
        await asyncio.sleep(LEAST_S)
        banks = self._banks.values()
        is_idle = all(bank.is_idle for bank in banks)
        if any(bank.is_scarce and not bank.is_idle for bank in banks):
            await asyncio.sleep(min(SCARCE_S, *(bank.next_s for bank in banks)))
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S if is_idle else EVERY_S):
                    await short.wait()
        short.clear()


def _why_nothing(name: str, limit: GlobalConcurrencyLimitResponse | None) -> str:
    """What somebody has done to the limit, and the way out."""
    if limit is None:
        return f"Prefect has no limit {name}, and without it no model is called: `penstock deploy` makes it again"
    done = "switched off" if not limit.active else "set to 0"
    return f"the limit {name} is {done} in Prefect, so no model is called"
