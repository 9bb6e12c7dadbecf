"""What work needs in a server, whoever starts it: limits, the address to notify, alerts, an eye on vanished runs.

Of limits and alerts it is only that they exist, and that somebody is told: all else in them is the operators'.
"""

from contextlib import suppress
from hashlib import sha256
from urllib.parse import urlsplit

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.events.actions import CallWebhook, DoNothing
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from deployments.automations import (
    ALERTS,
    PAYLOAD,
    VANISHED,
    Alert,
    automations_named,
    block_of,
    give_action,
    is_silent,
    keep_one,
)
from deployments.pages import pages
from deployments.surface.difference import Difference, Found, Key, Shape
from flows.names import in_pool
from tasks.settings import Settings


def shapes_of_needs(settings: Settings) -> dict[Key, Shape]:
    """All of it, in the order in which it is made."""
    address = settings.notify_url
    return {
        **{("limit", cap.name): {} for cap in settings.caps},
        **(
            {("block", block_of(settings.pool)): shape_of_address(address.get_secret_value())}
            if address
            else {}
        ),
        **{("alert", name): {"tells": "somebody"} if address else {} for name in alerts_of(settings.pool)},
        ("automation", VANISHED.name): {},
    }


def alerts_of(pool: str) -> dict[str, Alert]:
    """An installation's alerts by their names in Prefect."""
    return {in_pool(alert.name, pool): alert for alert in ALERTS}


def shape_of_address(address: str) -> Shape:
    """Of an address that is a secret no more than its host, and what tells it from another."""
    return {"calls": f"{urlsplit(address).hostname} ({sha256(address.encode()).hexdigest()[:8]})"}


async def read_needs(client: PrefectClient, settings: Settings, found: Found) -> None:
    """Note what there is of it."""
    caps = {cap.name for cap in settings.caps}
    async for limit in pages(client.read_global_concurrency_limits):
        if limit.name in caps:
            found.shapes["limit", limit.name] = {}
    if settings.notify_url is not None:
        await _read_block(client, block_of(settings.pool), found)
    for name in alerts_of(settings.pool):
        for automation in (await automations_named(client, name))[:1]:
            found.shapes["alert", name] = {"tells": "nobody" if is_silent(automation) else "somebody"}
            found.automations[name] = automation
    if await automations_named(client, VANISHED.name):
        found.shapes["automation", VANISHED.name] = {}


async def _read_block(client: PrefectClient, name: str, found: Found) -> None:
    try:
        document = await client.read_block_document_by_name(name, "webhook", include_secrets=True)
    except ObjectNotFound:
        return
    found.shapes["block", name] = shape_of_address(document.data["url"])
    found.ids["block", name] = document.id


class NeedsMaker:
    """Makes them one by one: alerts need the block with the address."""

    def __init__(self, client: PrefectClient, settings: Settings, found: Found) -> None:
        self._client, self._settings, self._found = client, settings, found

    async def make(self, difference: Difference) -> None:
        """Make this one; what another process has just made is as good."""
        makers = {
            "limit": self._limit,
            "block": self._block,
            "alert": self._alert,
            "automation": self._automation,
        }
        with suppress(ObjectAlreadyExists):
            await makers[difference.kind](difference)

    async def _limit(self, difference: Difference) -> None:
        cap = next(cap for cap in self._settings.caps if cap.name == difference.name)
        wanted = GlobalConcurrencyLimitCreate(name=cap.name, limit=cap.slots, slot_decay_per_second=cap.decay)
        await self._client.create_global_concurrency_limit(wanted)

    async def _block(self, difference: Difference) -> None:
        block = Webhook(method="POST", url=self._settings.notify_url)
        self._found.ids["block", difference.name] = await block.save(difference.name, overwrite=True)

    async def _alert(self, difference: Difference) -> None:
        pool = self._settings.pool
        block = self._found.ids.get(("block", block_of(pool)))
        action = DoNothing() if block is None else CallWebhook(block_document_id=block, payload=PAYLOAD)
        if difference.what == "create":
            await self._client.create_automation(alerts_of(pool)[difference.name].automation(action, pool))
            await keep_one(self._client, difference.name)
        else:
            await give_action(self._client, self._found.automations[difference.name], action)

    async def _automation(self, difference: Difference) -> None:
        await self._client.create_automation(VANISHED)
        await keep_one(self._client, difference.name)
