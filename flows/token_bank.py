"""The tokens a minute of one model: bought from a limit whose slots decay, as many as are wanted and there are."""

from math import inf

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse

from flows.slot_leases import NOT_NOW
from tasks.model.tokens import TokenPurse


class TokenBank:
    """Fills a purse. Slots of such a limit are not given back: they free themselves as time goes by."""

    def __init__(self, client: PrefectClient, purse: TokenPurse) -> None:
        self._client, self._purse = client, purse
        self.is_closed = True
        """True where nothing begins, whatever is wanted."""

    @property
    def is_idle(self) -> bool:
        """True where nothing is wanted."""
        return not self._purse.missing

    @property
    def is_scarce(self) -> bool:
        """True where more is wanted than there was at the last look."""
        return not self.is_idle

    next_s = inf
    """Nothing comes here at a time of its own."""

    async def leave(self) -> None:
        """Nothing is held here."""

    def use_what_lasts(self) -> None:
        """What was bought does not go bad."""

    async def look(self, limit: GlobalConcurrencyLimitResponse) -> None:
        """Buy what is missing, as far as there is any."""
        self.is_closed = False
        self._purse.open(limit.limit)
        wanted = min(self._purse.missing, limit.limit - limit.active_slots)
        if wanted <= 0:
            return
        try:
            await self._client.increment_concurrency_slots([limit.name], wanted, "rate_limit")
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in NOT_NOW:
                raise
            return  # Another process was first.
        self._purse.add(wanted)

    async def close(self, why: str, *, keeps: bool = False) -> None:
        """Nothing begins until the next look, and who waits is told why."""
        del keeps  # What was bought is.
        self.is_closed = True
        self._purse.close(why)
