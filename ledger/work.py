"""What a running batch writes down as it goes: calls, drafts, verdicts, stages. One short transaction each."""

from ledger.calls import (
    begin_call,
    calls_in_doubt,
    count_attempts,
    count_unusable_verdicts,
    settle_call,
)
from ledger.items import (
    Draft,
    ScoreRow,
    Settlement,
    StoredItem,
    Verdict,
    read_items,
    store_draft,
    store_verdict,
)
from ledger.stages import StageRun, finish_stage, read_stages, start_stage

__all__ = [
    "Draft",
    "ScoreRow",
    "Settlement",
    "StageRun",
    "StoredItem",
    "Verdict",
    "begin_call",
    "calls_in_doubt",
    "count_attempts",
    "count_unusable_verdicts",
    "finish_stage",
    "read_items",
    "read_stages",
    "settle_call",
    "start_stage",
    "store_draft",
    "store_verdict",
]
