"""The words of the views: read from the head of each SQL file, kept as DuckDB comments.

A file opens with comment lines: what the view is, then its columns, one a line:

    -- Pass rate and score of generated items, per stage.
    -- like: core_items, measures
    -- stage: The step of the pipeline
    -- cost_usd [USD]: Price of all calls

`like` lends the words of other views for columns of the same name, first named first. Comments travel with
the views into `flywheel.duckdb`, so every DuckDB tool shows them;
the unit stands in brackets before the meaning.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flywheel.schema import Table

_LIKE: Final = re.compile(r"like: (?P<names>.+)")
_COLUMN: Final = re.compile(r"(?P<name>[a-z_0-9]+)(?: \[(?P<unit>[^\]]+)\])?: (?P<meaning>.+)")


@dataclass(frozen=True)
class Words:
    """What a view is, and its columns' comments by name."""

    meaning: str
    columns: Mapping[str, str]


def words_of_table(table: Table) -> Words:
    """The words of the raw view over a fact table; `day` is the partition."""
    columns = {column.name: comment(column.unit, column.meaning) for column in table.columns}
    return Words(table.meaning, columns | {"day": comment("UTC date", "The day the row is filed under")})


def words_of_sql(sql: str, known: Mapping[str, Words]) -> Words:
    """The words at the head of a SQL file; `known` are the views it may borrow from, by name.

    Raises KeyError where `like` names a view that is not known.
    """
    head = [line.removeprefix("--").strip() for line in sql.splitlines() if line.startswith("--")]
    borrowed: dict[str, str] = {}
    own: dict[str, str] = {}
    meaning = []
    for line in head:
        if like := _LIKE.fullmatch(line):
            for name in reversed(like["names"].split(", ")):
                borrowed |= known[name].columns
        elif column := _COLUMN.fullmatch(line):
            own[column["name"]] = comment(column["unit"], column["meaning"])
        else:
            meaning.append(line)
    return Words(" ".join(meaning), borrowed | own)


def comment(unit: str | None, meaning: str) -> str:
    """How unit and meaning stand in one DuckDB comment: `[USD] Price of the call`."""
    return meaning if unit is None else f"[{unit}] {meaning}"


def comment_statements(view: str, columns: list[str], words: Words) -> str:
    """SQL that attaches the words to a view and each of its columns; KeyError for a column without any."""
    said = [f"COMMENT ON VIEW {view} IS {quoted(words.meaning)};"]
    said += [f'COMMENT ON COLUMN {view}."{name}" IS {quoted(words.columns[name])};' for name in columns]
    return "\n".join(said)


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
