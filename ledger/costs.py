"""What was spent, on whom and for what."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from ledger.engine import Ledger
from ledger.sql import reading
from ledger.tables import model_calls

_BY = ("tenant", "feature", "stage", "purpose", "model")
_TOKENS = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")


def costs(ledger: Ledger) -> list[dict[str, Any]]:
    """All calls, failed ones too, summed per tenant, feature, stage, purpose and model, and in that order.

    Each row: these five, calls, input_tokens, output_tokens, cache_write_tokens, cache_read_tokens (int) and
    cost_usd (float).
    """
    by = [model_calls.c[name] for name in _BY]
    tokens = [func.sum(model_calls.c[name]).label(name) for name in _TOKENS]
    cost = func.sum(model_calls.c.cost_usd).label("cost_usd")
    query = select(*by, func.count().label("calls"), *tokens, cost).group_by(*by).order_by(*by)
    with reading(ledger) as connection:
        return [
            {name: row[name] for name in _BY}
            | {name: int(row[name]) for name in ("calls", *_TOKENS)}
            | {"cost_usd": float(row["cost_usd"])}
            for row in connection.execute(query).mappings()
        ]


def item_costs(ledger: Ledger, batch_id: str) -> dict[str, Decimal]:
    """USD spent on each item of a batch, generation and judgement together."""
    query = (
        select(model_calls.c.item, func.sum(model_calls.c.cost_usd))
        .where(model_calls.c.batch_id == batch_id)
        .group_by(model_calls.c.item)
    )
    with reading(ledger) as connection:
        return dict(connection.execute(query).tuples().all())
