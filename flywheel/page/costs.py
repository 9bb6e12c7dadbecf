"""What model calls cost: the page's section about money."""

from collections.abc import Sequence
from typing import Final

from flywheel.page import figures, plots
from flywheel.page.tables import Ask, Section, Table, bar, name, number, table

_SPENT: Final = """
SELECT *, input_tokens + cached_tokens + output_tokens AS tokens FROM (
    SELECT {keys}, sum(n_calls) AS n_calls, sum(n_failed) AS n_failed, coalesce(sum(cost_usd), 0) AS cost_usd,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens,
        coalesce(sum(cache_write_tokens), 0) + coalesce(sum(cache_read_tokens), 0) AS cached_tokens
    FROM out_cost_by_tenant_feature_stage
    GROUP BY {keys}
)
ORDER BY cost_usd DESC, tokens DESC, {keys}
"""
_PARTS: Final = ("tenant", "feature", "stage")


def costs(ask: Ask) -> Section:
    """What model calls cost, by each of tenant, feature and stage, and by all three."""
    return Section(
        "cost",
        "Cost",
        "Every call of a model, paid or failed: generation, judgement and diagnosis. A feature is the part of "
        "the tenant's product that the events came from.",
        (
            *(_spent(ask, f"By {part}", (part,)) for part in _PARTS),
            _spent(ask, "By tenant, feature and stage", _PARTS, is_folded=True),
        ),
    )


def _spent(ask: Ask, title: str, keys: Sequence[str], *, is_folded: bool = False) -> Table:
    """Cost, calls and tokens, dearest first; the bars show tokens where no call had a price."""
    rows = ask(_SPENT.format(keys=", ".join(keys)))
    if any(row["cost_usd"] for row in rows):
        drawn, shown, said, units = "cost_usd", figures.usd, "cost in USD", plots.USD
    else:
        drawn, shown, said, units = "tokens", figures.count, "tokens, as no call had a price", plots.NUMBERS
    scale = plots.axis(said, [row[drawn] for row in rows], units)
    columns = (
        *(name(key.capitalize(), key) for key in keys),
        number("Cost", "cost_usd", figures.usd),
        bar(drawn, scale, shown),
        number("Calls", "n_calls", figures.count),
        number("Failed", "n_failed", figures.count),
        number("Input tokens", "input_tokens", figures.count),
        number("Cached", "cached_tokens", figures.count),
        number("Output tokens", "output_tokens", figures.count),
    )
    empty = "No model has been called yet."
    return table(title, rows, columns, empty=empty, axis=scale, is_folded=is_folded)
