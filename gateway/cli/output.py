"""Output: JSON to standard output for programs; tables for people; progress to standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """One JSON document on standard output; dates and decimals become text and numbers."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table that fits the terminal; numbers to the right."""
    rows = [tuple(row) for row in rows]
    table = Table(title=title, title_justify="left", header_style="bold")
    for position, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(cell) for cell in row))
    out.print(table)


def print_pairs(title: str, pairs: Mapping[str, object]) -> None:
    """Names and values, one a line."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    for name, value in pairs.items():
        table.add_row(f"[bold]{name}[/]", _shown(value))
    out.print(table)


def counted(counts: Mapping[str, int]) -> str:
    """`12 DONE, 3 FAILED`, or `none`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"


def usd(amount: float) -> str:
    """`$1.23`, with as many digits as a small amount needs."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def _shown(cell: object) -> str:
    if isinstance(cell, bool) or cell is None:
        return {True: "yes", False: "no", None: "-"}[cell]
    if isinstance(cell, int):
        return f"{cell:,}"
    return str(cell)


def _plain(value: object) -> object:
    return float(value) if type(value).__name__ == "Decimal" else str(value)  # type: ignore[arg-type]
