"""The views, in layers: `raw_` shows the files, `core_` cleans and joins, `out_` answers questions.

Raw views are made from `flywheel.tables`; the others are the files of `flywheel/sql`, one view a file, made
in the order of their names so that each layer finds the one below; `measures.sql` holds what they share.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import duckdb

from flywheel.documentation import Words, comment_statements, quoted, words_of_sql, words_of_table
from flywheel.errors import LakeSchemaError
from flywheel.lake import present_versions
from flywheel.schema import Column, Table
from flywheel.tables import TABLES

_MEASURES: Final = "measures"
_COLUMNS: Final = "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE NOT internal GROUP BY ALL"


def create_views(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Create every view, with its comments, over the lake at `root` as it is now.

    A table without rows gives an empty view with the right columns. Raises LakeSchemaError where a file of
    the lake lacks a column.
    """
    sources = dict(_sources())
    measures = sources.pop(_MEASURES)
    connection.begin()
    connection.execute(measures)
    words = {_MEASURES: words_of_sql(measures, {})}
    for table in TABLES.values():
        words[f"raw_{table.name}"] = words_of_table(table)
        _create_raw(connection, table, present_versions(root, table.name))
    for view, sql in sources.items():
        words[view] = words_of_sql(sql, words)
        connection.execute(f"CREATE VIEW {view} AS {sql}")
    _comment(connection, words)
    connection.commit()


@cache
def _sources() -> dict[str, str]:
    """The text of each SQL file by its name without suffix, in the order of the names."""
    found = (entry for entry in files("flywheel").joinpath("sql").iterdir() if entry.name.endswith(".sql"))
    return {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8")
        for entry in sorted(found, key=lambda entry: entry.name)
    }


def _create_raw(connection: duckdb.DuckDBPyConnection, table: Table, versions: list[Path]) -> None:
    sql = _raw(table, versions) if versions else _nothing(table)
    try:
        connection.execute(f"CREATE VIEW raw_{table.name} AS {sql}")
    except duckdb.BinderException as error:
        raise LakeSchemaError(
            f"table {table.name}: the columns of {versions[0]} are not those declared ({error}); "
            "write its days again from the ledger"
        ) from error


def _comment(connection: duckdb.DuckDBPyConnection, words: Mapping[str, Words]) -> None:
    columns = connection.execute(_COLUMNS).fetchall()
    connection.execute("\n".join(comment_statements(view, names, words[view]) for view, names in columns))


def _raw(table: Table, versions: list[Path]) -> str:
    """The rows of the versions, each with its day.

    The day is taken from the end of the path and not by hive partitioning, which would also read a folder
    above the lake such as `tenant=acme` as a column, in the place of the file's own. Files are pruned by it
    all the same.
    """
    paths = ", ".join(quoted(_literal(path)) for path in versions)
    columns = ", ".join(_cast(f'"{column.name}"', column) for column in table.columns)
    day = r"CAST(regexp_extract(filename, 'day=([0-9-]+)/[^/]+$', 1) AS DATE) AS day"
    return f"SELECT {columns}, {day} FROM read_parquet([{paths}], filename = true, hive_partitioning = false)"


def _nothing(table: Table) -> str:
    columns = ", ".join(_cast("NULL", column) for column in table.columns)
    return f"SELECT {columns}, CAST(NULL AS DATE) AS day WHERE false"


def _cast(value: str, column: Column) -> str:
    return f'CAST({value} AS {column.sql_type}) AS "{column.name}"'


def _literal(path: Path) -> str:
    """The path as a pattern that matches only itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))
