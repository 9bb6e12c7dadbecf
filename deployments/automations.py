"""Prefect automations: what operators are told of, where they say (`PENSTOCK_NOTIFY_URL`)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from httpx import codes
from prefect.automations import AutomationCore
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.actions import CallWebhook, DoNothing
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import PrefectHTTPStatusError

from tasks.settings import Settings

BLOCK: Final = "penstock-notify"
PAYLOAD: Final = '{"text": {{ ("Penstock: " ~ automation.description ~ " " ~ event.payload) | tojson }}}'
"""What Slack, Mattermost and Teams take; other receivers find the same text."""


@dataclass(frozen=True)
class Alert:
    """Events that operators are told of, in words; at most once in `quiet_for`."""

    name: str
    events: frozenset[str]
    says: str
    quiet_for: timedelta = timedelta(0)


ALERTS: Final = (
    Alert(
        "Penstock: dead letters",
        frozenset({"penstock.dead_letter.buried"}),
        "a batch or delivery could not be processed; `penstock dlq list` says why.",
    ),
    Alert(
        "Penstock: outage",
        frozenset({"penstock.dead_letters.outage"}),
        "500 dead letters within an hour: something is broken for everyone.",
        quiet_for=timedelta(hours=1),
    ),
    Alert(
        "Penstock: model unreachable",
        frozenset({"penstock.breaker.opened"}),
        "a model does not answer; its work is held.",
    ),
    Alert(
        "Penstock: stuck",
        frozenset({"penstock.batch.stuck", "penstock.lane.stuck"}),
        "work gets nowhere; `penstock doctor` says which and what to do.",
    ),
)


async def ensure_automations(settings: Settings) -> None:
    """Create the alerts where there are none. An operator's change of trigger, name or state is kept.

    With an address to notify, alerts that do nothing yet are given it; without one they are there to be given
    an action in the UI.
    """
    async with get_client() as client:
        action = await _action(settings)
        for alert in ALERTS:
            await _ensure(client, alert, action)


async def _action(settings: Settings) -> CallWebhook | DoNothing:
    if settings.notify_url is None:
        return DoNothing()
    block = Webhook(method="POST", url=settings.notify_url)
    document = await block.save(BLOCK, overwrite=True)
    return CallWebhook(block_document_id=document, payload=PAYLOAD)


async def _ensure(client: PrefectClient, alert: Alert, action: CallWebhook | DoNothing) -> None:
    known = await client.read_automations_by_name(alert.name)
    if not known:
        await client.create_automation(_automation(alert, action))
        await keep_one(client, alert.name)
    elif isinstance(action, CallWebhook) and all(isinstance(one, DoNothing) for one in known[0].actions):
        changed = known[0].model_copy(update={"actions": [action]})
        await client.update_automation(
            known[0].id, AutomationCore(**changed.model_dump(exclude={"id", "owner_resource"}))
        )


async def keep_one(client: PrefectClient, name: str) -> None:
    """Of processes that started at once and found none each has made one; all of them keep the same."""
    made = await client.read_automations_by_name(name)
    for extra in sorted(made, key=lambda automation: automation.id)[1:]:
        await remove(client, extra.id)


async def remove(client: PrefectClient, automation: UUID) -> None:
    """Delete it; that another process has just done so is as good."""
    try:
        await client.delete_automation(automation)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != codes.NOT_FOUND:
            raise


def _automation(alert: Alert, action: CallWebhook | DoNothing) -> AutomationCore:
    trigger = EventTrigger(
        expect=set(alert.events), posture=Posture.Reactive, threshold=1, within=alert.quiet_for
    )
    return AutomationCore(
        name=alert.name, description=alert.says, tags=["penstock"], trigger=trigger, actions=[action]
    )
