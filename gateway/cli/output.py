"""Output: JSON to standard output for programs; tables for people; progress to standard error.

What is shown comes from events and models, so it is data: never markup, and never a terminal's control codes.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

SHORT_ID: Final = 12
"""Characters of an id that tables show; commands take any beginning that only one id has."""

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control codes, and the marks that turn the direction of the text around them."""

_COLOURS: Final = {
    "DONE": "green",
    "passed": "green",
    "ok": "green",
    "FAILED": "red",
    "DEAD": "red",
    "failed": "red",
    "wrong": "red",
    "PENDING": "yellow",
    "HELD": "yellow",
    "unscored": "yellow",
}


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """One JSON document on standard output; dates become text, decimals numbers."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, is_first_whole: bool = True
) -> None:
    """A table as wide as the terminal at most. Numbers stand to the right; an id, in a first column, stays whole."""
    _heading(title)
    out.print(table_of(columns, rows, is_first_whole=is_first_whole))


def table_of(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, is_first_whole: bool = True
) -> Table:
    """The table itself."""
    rows = [tuple(row) for row in rows]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for position, name in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(
            name,
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=is_number or (position == 0 and is_first_whole),
        )
    for row in rows:
        table.add_row(*map(shown, row))
    return table


def day(moment: datetime | None) -> str:
    """A time to the minute, UTC, for a table; a dash where there is none."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def print_pairs(title: str, pairs: Mapping[str, object] | Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; a long value goes on under its beginning."""
    pairs = list(pairs.items() if isinstance(pairs, Mapping) else pairs)
    grid = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in pairs:
        grid.add_row(Text(f"  {name}"), shown(value))
    _heading(title)
    out.print(grid)


def print_lines(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values to be copied from the terminal: no line is broken, however narrow it is."""
    pairs = list(pairs)
    width = max(len(name) for name, _ in pairs)
    _heading(title)
    for name, value in pairs:
        out.print(Text(f"  {name:<{width}}  {value}"), soft_wrap=True)


def print_markdown(text: str) -> None:
    """Markdown, laid out for the terminal."""
    from rich.markdown import Markdown

    out.print(Markdown(printable(text)))


def counted(counts: Mapping[str, int]) -> str:
    """`DONE 12, FAILED 3`, or `none`."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count) or "none"


def usd(amount: float) -> str:
    """`$1.23`, with as many digits as a small amount needs."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def printable(text: str) -> str:
    """`text` without anything that would move a terminal's cursor or turn its text around."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(cell: object) -> Text:
    """A value as a person reads it; states and verdicts in their colour."""
    if isinstance(cell, Text):
        return cell
    if isinstance(cell, bool) or cell is None:
        return Text({True: "yes", False: "no", None: "-"}[cell])
    if isinstance(cell, int):
        return Text(f"{cell:,}")
    if isinstance(cell, float):
        return Text(f"{cell:.2f}")
    text = printable(str(cell))
    return Text(text, style=_COLOURS.get(text, ""))


def _heading(title: str) -> None:
    out.print()
    out.print(Text(title, style="bold"))


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def local(at: datetime) -> str:
    """A moment by the operator's clock."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
