"""The lake's fact tables as data, in the order of an event's road: the one place that says what a fact is called.

Names follow one rule: a unit is a suffix (`cost_usd`), `n_` a count, `is_` a yes or no, `_at` a time.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flywheel.schema import Table
from flywheel.tables.batches import BATCH_EVENTS, BATCH_STATES, BATCHES, RESERVATIONS, STAGE_RUNS
from flywheel.tables.events import EVENTS, INTAKES, PROMOTIONS, REJECTIONS
from flywheel.tables.outcomes import DEAD_LETTERS, DELIVERABLES, DELIVERIES
from flywheel.tables.quality import GENERATIONS, JUDGEMENTS, MODEL_CALLS

_EVERY: Final = (
    *(INTAKES, EVENTS, REJECTIONS, PROMOTIONS),
    *(BATCHES, BATCH_EVENTS, BATCH_STATES, STAGE_RUNS, RESERVATIONS),
    *(GENERATIONS, JUDGEMENTS, MODEL_CALLS),
    *(DELIVERABLES, DELIVERIES, DEAD_LETTERS),
)

TABLES: Final[Mapping[str, Table]] = MappingProxyType({table.name: table for table in _EVERY})
"""Every fact table of the lake by its name, in the order in which they are described."""
