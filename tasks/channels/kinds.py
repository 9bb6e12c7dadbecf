"""By what a target is, how deliverables get there; what cannot be one is refused before anything is kept."""

import re
from collections.abc import Sequence
from typing import Final

from contracts.errors import OperatorError
from ledger.subscriptions import SubscriptionKind
from tasks.channels import RefusedTargetError
from tasks.channels.addresses import Network, check_url

_SHAPES: Final[tuple[tuple[re.Pattern[str], SubscriptionKind], ...]] = (
    (re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+(\.fifo)?"), "sns"),
    (re.compile(r"https?://[^/]*\bsqs\b[^/]*/\d{12}/[\w-]+(\.fifo)?"), "sqs"),
    (re.compile(r"https?://(localhost|127\.0\.0\.1)(:\d+)?/\d{12}/[\w-]+(\.fifo)?"), "sqs"),
    (re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/.*)?"), "s3"),
    (re.compile(r"block:[a-z0-9-]+"), "s3"),
)


class TargetError(OperatorError):
    """Deliverables cannot go there; the message says what can be given."""


def kind_of(target: str, networks: Sequence[Network]) -> SubscriptionKind:
    """How deliverables get to a target. TargetError where they do not."""
    for shape, kind in _SHAPES:
        if shape.fullmatch(target):
            return kind
    if not target.startswith(("http://", "https://")):
        raise TargetError(
            f"{target!r} is no target: give https://..., an SNS topic's ARN, an SQS queue's address, "
            "s3://bucket/prefix, or block:NAME for an S3 Bucket block"
        )
    try:
        check_url(target, networks)
    except RefusedTargetError as error:
        raise TargetError(str(error)) from error
    return "webhook"
