"""Everything an installation writes, as text, to look for what must not be in it."""

import sqlite3
from pathlib import Path

import duckdb
import psycopg


def in_ledger(url) -> dict[str, str]:
    """Every row of every table, as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            f"ledger.{table}": "\n".join(
                str(row) for row in connection.execute(f'SELECT t::text FROM "{table}" t').fetchall()
            )
            for (table,) in tables
        }


def in_files(home) -> dict[str, str]:
    """Every file under the home; of Prefect's database every row too, for its pages may split a text."""
    found = {
        str(path.relative_to(home)): path.read_bytes().decode(errors="replace")
        for path in home.rglob("*")
        if path.is_file()
    }
    for path in home.rglob("*.db"):
        with sqlite3.connect(path) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
                found[f"{path.name}.{table}"] = "\n".join(map(str, rows))
    return found


def in_lake(home: Path) -> str:
    """Every row of every Parquet file."""
    return "\n".join(
        str(row)
        for path in home.rglob("*.parquet")
        for row in duckdb.sql(f"SELECT * FROM '{path}'").fetchall()
    )
