"""Prefect automations: what operators are told of, where they say (`PENSTOCK_NOTIFY_URL`), and runs that vanished."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from httpx import codes
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState, DoNothing
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import PrefectHTTPStatusError

from deployments.server_settings import VANISHED_AFTER
from flows.names import POOL_LABEL, TAG, USUAL_POOL, in_pool

PAYLOAD: Final = '{"text": {{ ("Penstock: " ~ automation.description ~ " " ~ event.payload) | tojson }}}'
"""What Slack, Mattermost and Teams take; other receivers find the same text."""


@dataclass(frozen=True)
class Alert:
    """Events that operators are told of, in words; at most once in `quiet_for`."""

    name: str
    events: frozenset[str]
    says: str
    quiet_for: timedelta = timedelta(0)

    def automation(self, action: CallWebhook | DoNothing, pool: str) -> AutomationCore:
        """As Prefect has it, for one installation.

        Without an address to notify it is there and does nothing: operators give it an action in the UI.
        """
        trigger = EventTrigger(
            match=ResourceSpecification({POOL_LABEL: pool}),
            expect=set(self.events),
            posture=Posture.Reactive,
            threshold=1,
            within=self.quiet_for,
        )
        return AutomationCore(
            name=in_pool(self.name, pool),
            description=self.says,
            tags=[TAG],
            trigger=trigger,
            actions=[action],
        )


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

BLOCK: Final = "penstock-notify"


def block_of(pool: str) -> str:
    """The name of the webhook block with the address that an installation's alerts call."""
    return BLOCK if pool == USUAL_POOL else f"{BLOCK}-{pool}"


VANISHED: Final = AutomationCore(
    name="Penstock: runs whose host is gone",
    description="Marks runs as crashed that have not been heard of for nine minutes. The ledger's leases bring their "
    "batches back before that.",
    tags=[TAG],
    trigger=EventTrigger(
        match_related=ResourceSpecification(
            {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
        ),
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=VANISHED_AFTER,
    ),
    actions=[
        ChangeFlowRunState(
            state=StateType.CRASHED,
            message="Not heard of for nine minutes: its host is gone, or out of reach. What was in work goes on "
            "when its lease has run out.",
        )
    ],
)
"""Prefect's own recipe (docs.prefect.io, "How to detect and respond to zombie flows"). Workers that come again mark
what died on their own host; nobody else does it for a host that is gone."""


def is_silent(automation: Automation) -> bool:
    """True where it tells nobody."""
    return all(isinstance(action, DoNothing) for action in automation.actions)


async def give_action(client: PrefectClient, automation: Automation, action: CallWebhook | DoNothing) -> None:
    """Let it do this instead of nothing; whatever operators changed in it otherwise is kept."""
    changed = automation.model_copy(update={"actions": [action]})
    await client.update_automation(
        automation.id, AutomationCore(**changed.model_dump(exclude={"id", "owner_resource"}))
    )


async def automations_named(client: PrefectClient, name: str) -> list[Automation]:
    """Those of this name; first the one that is kept where there are several."""
    return sorted(await client.read_automations_by_name(name), key=lambda one: one.id)


async def keep_one(client: PrefectClient, name: str) -> None:
    """Of processes that started at once and found none each has made one; all of them keep the same."""
    for extra in (await automations_named(client, name))[1:]:
        await remove(client, extra.id)


async def remove(client: PrefectClient, automation: UUID) -> None:
    """Delete it; that another process has just done so is as good."""
    try:
        await client.delete_automation(automation)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != codes.NOT_FOUND:
            raise
