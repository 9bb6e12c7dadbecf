"""What arrives: intakes, events, rejections, promotions."""

from typing import Final

from flywheel.schema import Table
from flywheel.tables.words import EVENT, ORIGIN, PIPELINE, TENANT, text, time, whole

INTAKES: Final = Table(
    "intakes",
    "One row per intake of a source: how much was read and what became of it",
    "read_at",
    (
        whole("intake_id", "number", "The intake"),
        ORIGIN,
        whole("n_read", "messages", "How many messages were read"),
        whole("n_accepted", "events", "How many became events"),
        whole("n_duplicates", "messages", "How many were known already"),
        whole("n_rejected", "messages", "How many were refused"),
        time("read_at", "When it was read"),
    ),
)

EVENTS: Final = Table(
    "events",
    "One row per event, without its content",
    "accepted_at",
    (
        EVENT,
        TENANT,
        text("user", "The tenant's user whose event it is; null where nobody's"),
        text("kind", "What it is, such as feedback, transcript, survey or alert"),
        text("priority", "Its urgency as it stands: HIGH, MEDIUM or LOW"),
        PIPELINE,
        text("topic", "What trends are counted by"),
        whole("tokens", "tokens", "Estimated tokens of its text"),
        time("occurred_at", "When it happened, as its source says; null where it does not"),
        time("accepted_at", "When the ledger took it"),
    ),
)

REJECTIONS: Final = Table(
    "rejections",
    "One row per message that was refused; the message itself is in the ledger",
    "rejected_at",
    (
        whole("rejection_id", "number", "The rejection"),
        ORIGIN,
        whole("line", "number", "Its line or element there"),
        text("reason", "Why it was refused, in words; content, which may quote the message"),
        time("rejected_at", "When it was refused"),
    ),
)

PROMOTIONS: Final = Table(
    "promotions",
    "One row per time that a trend raised LOW events to HIGH",
    "promoted_at",
    (
        whole("promotion_id", "number", "The promotion"),
        TENANT,
        text("topic", "What the events are about"),
        whole("n_events", "events", "How many events were raised"),
        time("promoted_at", "When they were raised"),
    ),
)
