"""What comes out: deliverables, their deliveries, dead letters."""

from typing import Final

from flywheel.schema import Table
from flywheel.tables.words import ATTEMPTS, BATCH, FORM, KIND, STAGE, TENANT, USER, real, text, time, whole

DELIVERABLES: Final = Table(
    "deliverables",
    "One row per deliverable: a judged result that people receive",
    "created_at",
    (
        text("deliverable_id", "The deliverable"),
        BATCH,
        TENANT,
        USER,
        KIND,
        FORM,
        text("title", "Its title"),
        time("created_at", "When it was committed"),
        real("cost_usd", "USD", "Price of its generation and judgement together"),
    ),
)

DELIVERIES: Final = Table(
    "deliveries",
    "One row per deliverable and channel it is to leave by",
    "created_at",
    (
        whole("delivery_id", "number", "The delivery"),
        text("deliverable_id", "The deliverable"),
        BATCH,
        TENANT,
        USER,
        text("channel", "Where it goes, such as files"),
        text("state", "Where it stands"),
        ATTEMPTS,
        time("created_at", "When the deliverable was committed"),
        time("delivered_at", "When it left; null before"),
        text("last_error", "What went wrong last; null where nothing did"),
    ),
)

DEAD_LETTERS: Final = Table(
    "dead_letters",
    "One row per batch that could not be worked on; its message and prompt are in the ledger",
    "died_at",
    (
        text("letter_id", "The dead letter"),
        BATCH,
        TENANT,
        STAGE,
        text("error", "The kind of error"),
        text("message", "What it said; content, which may quote what was worked on"),
        ATTEMPTS,
        real("cost_usd", "USD", "What the batch had cost until then"),
        time("died_at", "When it was given up"),
    ),
)
