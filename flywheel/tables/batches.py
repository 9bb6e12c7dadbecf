"""The work: batches, their events, their moves and stages, what they were granted."""

from typing import Final

from flywheel.schema import Table
from flywheel.tables.words import BATCH, EVENT, LEVEL, PIPELINE, SCOPE, STAGE, TENANT, USER, text, time, whole

BATCHES: Final = Table(
    "batches",
    "One row per batch, as it stood when the day was last written",
    "created_at",
    (
        BATCH,
        SCOPE,
        TENANT,
        USER,
        LEVEL,
        PIPELINE,
        text("state", "Where the batch stands, such as READY, RUNNING, DONE or FAILED"),
        whole("size", "events", "How many events the batch holds"),
        whole("tokens", "tokens", "Estimated tokens of its events"),
        time("created_at", "When the batch was closed"),
        time("started_at", "When work on it first began; null before"),
        time("finished_at", "When it reached its last state; null before"),
        text("reason", "Why it is in its state, in words"),
    ),
)

BATCH_EVENTS: Final = Table(
    "batch_events",
    "One row per event in a batch; an event is in as many batches as it has scopes and levels",
    "created_at",
    (BATCH, EVENT, time("created_at", "When the batch was closed")),
)

BATCH_STATES: Final = Table(
    "batch_states",
    "One row per move of a batch from one state to the next",
    "moved_at",
    (
        whole("move_id", "number", "The move; a batch's moves are in this order"),
        BATCH,
        TENANT,
        USER,
        LEVEL,
        SCOPE,
        PIPELINE,
        text("from_state", "The state it left"),
        text("to_state", "The state it came to"),
        text("reason", "Why it moved, in words"),
        time("moved_at", "When it moved"),
    ),
)

STAGE_RUNS: Final = Table(
    "stage_runs",
    "One row per stage that a batch has begun, as it stood when the day was last written",
    "started_at",
    (
        BATCH,
        STAGE,
        TENANT,
        USER,
        LEVEL,
        SCOPE,
        PIPELINE,
        text("state", "RUNNING, DONE or FAILED"),
        time("started_at", "When the stage was last begun"),
        time("finished_at", "When it ended; null before"),
        text("error", "What went wrong; null where nothing did"),
    ),
)

RESERVATIONS: Final = Table(
    "reservations",
    "One row per batch that was granted solutions by its tenant's throttle",
    "reserved_at",
    (
        BATCH,
        TENANT,
        whole("n_solutions", "solutions", "How many it was granted"),
        time("reserved_at", "When; it counts for the throttle's window from here"),
    ),
)
