"""Tables as values: columns that say how a row of a view becomes cells, and what is printed of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flywheel.page import plots
from flywheel.page.figures import Figure, words
from flywheel.page.plots import Axis, Mark

Row = Mapping[str, Any]
Ask = Callable[[str], list[Row]]
"""Runs a query over the views and gives its rows by column name."""

Cell = Figure | Mark | None
Kind = Literal["name", "text", "number", "plot"]

SHOWN: Final = 40
"""How many rows of a table are printed; the views have them all."""


@dataclass(frozen=True)
class Column:
    """A heading, how a row's cell is made, and how it stands: names head their row, numbers to the right."""

    heading: str
    cell: Callable[[Row], Cell]
    kind: Kind = "number"


@dataclass(frozen=True)
class Table:
    """A printed table; with no rows, `empty` stands in its place. `is_folded` is opened by the reader."""

    title: str
    headings: tuple[tuple[str, Kind], ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    note: str = ""
    axis: Axis | None = None
    is_folded: bool = False


@dataclass(frozen=True)
class Section:
    """A headed part of the page that answers one question."""

    anchor: str
    title: str
    intro: str
    tables: tuple[Table, ...]


def table(
    title: str,
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    empty: str,
    note: str = "",
    axis: Axis | None = None,
    is_folded: bool = False,
) -> Table:
    """The first `SHOWN` rows as cells; where there are more, the note says how many."""
    cells = tuple(tuple(column.cell(row) for column in columns) for row in rows[:SHOWN])
    if len(rows) > SHOWN:
        note = f"{note} The first {SHOWN} of {len(rows):,}.".strip()
    headings = tuple((column.heading, column.kind) for column in columns)
    return Table(title, headings, cells, empty, note, axis, is_folded)


def name(heading: str, key: str) -> Column:
    """A column of names taken from the row as they are."""
    return Column(heading, lambda row: words(row[key]), "name")


def number(heading: str, key: str, shown: Callable[[Any], Figure]) -> Column:
    """A column of figures taken from the row and printed by `shown`."""
    return Column(heading, lambda row: shown(row[key]))


def text(heading: str, key: str) -> Column:
    """A column of words taken from the row."""
    return Column(heading, lambda row: words(row[key]), "text")


def bar(key: str, scale: Axis, shown: Callable[[Any], Figure]) -> Column:
    """A column of bars as long as a figure of the row."""
    return Column("", lambda row: plots.bar(row[key], scale, shown(row[key]).text), "plot")
