"""The guard: what this installation knows that no deliverable may hold, for the leak checks of `evaluation`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from evaluation.leaks import Hidden, Leak, backed_up, leaks
from evaluation.names import distinctive
from evaluation.verdict import Scored
from ledger.engine import Ledger
from ledger.tenants import tenant_names
from tasks.diagnosis.redact import credentials, redact, without_values
from tasks.stages.base import ItemSpec

FRESH: Final = timedelta(minutes=1)
"""How long the tenants' names are remembered; a new tenant has no deliverables to confuse sooner."""


async def _nobody(_tenant: str) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Guard:
    """`canaries` are strings that nobody may see; `others` gives the distinctive names of the other tenants."""

    canaries: tuple[str, ...] = ()
    others: Callable[[str], Awaitable[tuple[str, ...]]] = _nobody

    def hidden_from_judges(self, text: str) -> str:
        """`text` as a judge may see it: what leaked is found here, and goes to no second provider."""
        return without_values(text, self.canaries)

    async def hidden(self, spec: ItemSpec, tenant: str) -> Hidden:
        """What must not come out in what is made as `spec` says for `tenant`. Asked before anything is paid for."""
        return Hidden(
            spec.prompt.text, tuple(spec.sections), spec.sections, await self.others(tenant), self.canaries
        )


def checked(verdict: Scored, text: str, hidden: Hidden) -> Scored:
    """The judge's verdict on `text`, backed up by the leak checks; no secret survives in a reason."""
    sure = backed_up(verdict, _found(text, hidden))
    return Scored(
        tuple(replace(score, reason=redact(score.reason, hidden.canaries)) for score in sure.scores)
    )


def _found(text: str, hidden: Hidden) -> tuple[Leak, ...]:
    found = leaks(text, hidden)
    secrets = credentials(text)
    if not secrets:
        return found
    material = orjson.dumps(hidden.material).decode()
    invented = any(orjson.dumps(secret).decode()[1:-1] not in material for secret in secrets)
    return (*found, Leak("holds what looks like a credential")) if invented else found


class TenantNames:
    """The tenants' distinctive names, read again after a minute. `ordinary` are names that stand for nothing."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime], ordinary: tuple[str, ...] = ()) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ordinary = {name.casefold() for name in ordinary}
        self._names: tuple[str, ...] = ()
        self._read_at: datetime | None = None

    async def beside(self, tenant: str) -> tuple[str, ...]:
        """All but this tenant's."""
        now = self._clock()
        if self._read_at is None or not timedelta() <= now - self._read_at < FRESH:
            self._names = await asyncio.to_thread(self._read)
            self._read_at = now
        return tuple(name for name in self._names if name.casefold() != tenant.casefold())

    def _read(self) -> tuple[str, ...]:
        return distinctive(
            name for name in tenant_names(self._ledger) if name.casefold() not in self._ordinary
        )
