"""AWS as a way out: deliverables to topics of SNS, to queues of SQS, and as objects."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ledger.outbox import OutboxMessage
from ledger.subscriptions import Subscription
from tasks.channels import UndeliveredError
from tasks.sources.aws.clients import AwsClients

MOST_BYTES: Final = 250_000
"""What SNS takes is 256 KiB, attributes included."""
FIFO: Final = ".fifo"


def to_topic(clients: AwsClients, subscription: Subscription, message: OutboxMessage) -> None:
    """Publish a deliverable, with attributes for filter policies. Raises UndeliveredError."""
    _sent(
        lambda: clients.sns.publish(
            TopicArn=subscription.target,
            Message=_text(message),
            MessageAttributes=_attributes(message),
            **_grouped(subscription.target, message),
        )
    )


def to_queue(clients: AwsClients, subscription: Subscription, message: OutboxMessage) -> None:
    """Send a deliverable; its group is its tenant, so that no tenant waits behind another's many (fair queues)."""
    _sent(
        lambda: clients.sqs.send_message(
            QueueUrl=subscription.target,
            MessageBody=_text(message),
            MessageAttributes=_attributes(message),
            **_grouped(subscription.target, message),
        )
    )


def objects_of(message: OutboxMessage) -> dict[str, bytes]:
    """A deliverable as objects, by key: as its readers get it, and as JSON."""
    made = message.deliverable
    name = f"{made.tenant}/{made.batch}/{made.kind}-{made.form}-{made.id}"
    return {
        f"{name}.md": made.markdown.encode(),
        f"{name}.json": made.model_dump_json(indent=2).encode(),
    }


def _sent(request: Callable[[], object]) -> None:
    try:
        request()
    except (ClientError, BotoCoreError) as error:
        raise UndeliveredError(f"{type(error).__name__}: {error}") from error


def _text(message: OutboxMessage) -> str:
    """The deliverable as JSON; of one that is too large what it takes to fetch it."""
    made = message.deliverable
    text = made.model_dump_json()
    if len(text.encode()) <= MOST_BYTES:
        return text
    return made.model_copy(
        update={"markdown": "", "content": {"too_large": f"/v1/deliverables/{made.id}"}}
    ).model_dump_json()


def _attributes(message: OutboxMessage) -> dict[str, Any]:
    """What filter policies may ask for; at most ten."""
    made = message.deliverable
    said = {
        "type": "deliverable.published",
        "id": made.id,
        "tenant": made.tenant,
        "kind": made.kind.value,
        "form": made.form,
        "batch": made.batch,
    }
    scores = {"DataType": "Number", "StringValue": f"{min(made.scores.values(), default=0):.4f}"}
    return attributes_of(said) | {"score": scores}


def attributes_of(said: Mapping[str, str]) -> dict[str, Any]:
    """Texts as a message's attributes."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in said.items()}


def _grouped(target: str, message: OutboxMessage) -> dict[str, str]:
    return grouped(target, message.deliverable.tenant, message.idempotency_key)


def grouped(target: str, tenant: str, key: str) -> dict[str, str]:
    """By tenant; in a FIFO target a repeat is known by the message's key."""
    group = {"MessageGroupId": _group(tenant)}
    if target.endswith(FIFO):
        group["MessageDeduplicationId"] = key
    return group


def _group(tenant: str) -> str:
    """A tenant as a group's name: AWS takes 128 letters, digits and punctuation."""
    return "".join(one if one.isascii() and one.isprintable() and one != " " else "_" for one in tenant)[:128]
