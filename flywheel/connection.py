"""Ways into the lake: a connection with every view, the same views as a file, and their description."""

import os
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from flywheel.errors import LakeNotFoundError
from flywheel.files import put_in_place, temporary
from flywheel.tables import TABLES
from flywheel.views import create_views

# Everything needed is in DuckDB's wheel; nothing is to be fetched from a network behind the analyst's back.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}

_DESCRIBED: Final = ("view", "column", "type", "unit", "meaning")
_DESCRIPTION: Final = r"""
SELECT
    table_name AS view,
    column_name AS column,
    data_type AS type,
    nullif(regexp_extract(comment, '^\[(.*?)\] ', 1), '') AS unit,
    regexp_replace(comment, '^\[.*?\] ', '') AS meaning
FROM duckdb_columns()
WHERE database_name = current_database() AND regexp_matches(table_name, '^(raw|core|out)_')
ORDER BY list_position(['raw', 'core', 'out'], split_part(table_name, '_', 1)), table_name, column_index
"""


def connect(root: Path | str | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB connection with every view over the lake as it is now; times are shown in UTC.

    `root` is Penstock's home or the lake folder in it; without it, the home is PENSTOCK_HOME, or the nearest
    `.penstock` here or in a folder above. The views keep showing the lake as it was when they were made, for
    `flywheel.lake.KEEP`; connect again for what has come since. Raises LakeNotFoundError.
    """
    lake = find_lake(root)
    connection = duckdb.connect(config=_CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    create_views(connection, lake)
    return connection


def publish(root: Path | str, target: Path) -> None:
    """Write the views to the DuckDB file `target`, over the lake as it is now, in place of what was there.

    The views name files by absolute paths. Publish after each write of the lake: whoever opens the file then
    sees that state, and whoever has it open keeps the one before. Raises LakeNotFoundError.
    """
    lake = find_lake(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = temporary(target)
    draft.unlink(missing_ok=True)
    try:
        with duckdb.connect(draft, config=_CONFIG) as connection:
            create_views(connection, lake)
        put_in_place(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def describe(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every column of every view: view, column, type (DuckDB's), unit (null where it has none), meaning."""
    rows = connection.execute(_DESCRIPTION).fetchall()
    return pl.DataFrame(rows, schema=dict.fromkeys(_DESCRIBED, pl.String()), orient="row")


def find_lake(root: Path | str | None = None) -> Path:
    """The absolute lake folder for what `connect` is given; LakeNotFoundError where there is none."""
    home = _default_home() if root is None else Path(root)
    for folder in (home / "lake", home):
        if _is_lake(folder):
            return folder.resolve()
    raise LakeNotFoundError(
        f"no lake in {home.absolute()}: `penstock run` writes one; give the folder that holds it, "
        "as an argument or in PENSTOCK_HOME"
    )


def _default_home() -> Path:
    if configured := os.environ.get("PENSTOCK_HOME"):
        return Path(configured)
    here = Path.cwd()
    homes = [folder / ".penstock" for folder in (here, *here.parents)]
    return next((home for home in homes if home.is_dir()), homes[0])


def _is_lake(folder: Path) -> bool:
    """A folder with a table in it, or nothing at all: a lake before its first day."""
    if not folder.is_dir():
        return False
    return any((folder / table).is_dir() for table in TABLES) or not any(folder.iterdir())
