"""`deploy`: a Prefect server shows what Penstock is, and what differs is known before it is changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from prefect.client.orchestration import get_client

from deployments.surface.difference import Difference, differences
from deployments.surface.found import read_found
from deployments.surface.make import Maker
from deployments.surface.shape import shapes_of
from deployments.surface.spec import Surface


@dataclass(frozen=True)
class Plan:
    """What differs, and the one who makes it as it is to be."""

    differences: tuple[Difference, ...]
    maker: Maker

    async def carry_out(self) -> AsyncIterator[Difference]:
        """Make everything as it is to be; gives each difference once it is none any more."""
        for difference in self.differences:
            await self.maker.make(difference)
            yield difference


@asynccontextmanager
async def planned(wanted: Surface) -> AsyncIterator[Plan]:
    """What a server differs in, and the means to change it, for the time of the block."""
    async with get_client() as client:
        found = await read_found(client, wanted)
        yield Plan(differences(shapes_of(wanted), found.shapes), Maker(client, wanted, found))


async def deploy(wanted: Surface, *, only_missing: bool = False) -> tuple[Difference, ...]:
    """Make the server as it is to be, or only what is missing there; returns what was made."""
    async with planned(wanted) as plan:
        chosen = tuple(one for one in plan.differences if one.is_missing or not only_missing)
        return tuple([one async for one in replace(plan, differences=chosen).carry_out()])
