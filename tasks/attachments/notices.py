"""Telling who listens of attachments that were kept: a topic of SNS, with attributes for filter policies."""

import logging
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from contracts.attachments import Attachment, AttachmentState
from ledger.attachments import mark_attachments_published, take_attachments
from ledger.engine import Ledger
from tasks.channels.aws import attributes_of, grouped

_LOG: Final = logging.getLogger("penstock")
AT_ONCE: Final = 10
"""The most messages that SNS takes in one request."""
AGAIN_AFTER: Final = timedelta(minutes=2)


def publish_attachments(sns: Any, topic: str, ledger: Ledger, now: datetime) -> int:  # noqa: ANN401 - boto3's are
    """Publish those that are due; returns how many left. What fails is due again after a while."""
    published = 0
    while due := take_attachments(ledger, AttachmentState.KEPT, now, AT_ONCE, AGAIN_AFTER):
        sent = _sent(sns, topic, [one for one, _ in due])
        mark_attachments_published(ledger, sent)
        published += len(sent)
    return published


def _sent(sns: Any, topic: str, some: list[Attachment]) -> list[str]:  # noqa: ANN401 - boto3's are
    """The ids of those that SNS took."""
    entries = [_entry(one, topic) for one in some]
    try:
        answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    except (ClientError, BotoCoreError) as error:
        _LOG.warning("%d attachments are published later: %s", len(some), error)
        return []
    for failed in answer.get("Failed", ()):
        _LOG.warning("attachment %s is published later: %s", failed["Id"], failed.get("Message"))
    return [one["Id"] for one in answer.get("Successful", ())]


def _entry(one: Attachment, topic: str) -> dict[str, Any]:
    said = {
        "type": "attachment.kept",
        "id": one.id,
        "tenant": one.tenant,
        "event": one.event_key.hex(),
        "media_type": one.findings.media_type if one.findings else "",
    }
    return {
        "Id": one.id,
        "Message": _text(one),
        "MessageAttributes": attributes_of(said),
        **grouped(topic, one.tenant, one.id),
    }


def _text(one: Attachment) -> str:
    """All but the text that was read in it, which may be long and anybody's: who may read it asks for it."""
    told = one.model_dump(mode="json")
    told["findings"] = {name: found for name, found in told["findings"].items() if name != "text"}
    return orjson.dumps(told | {"event_key": one.event_key.hex()}).decode()
