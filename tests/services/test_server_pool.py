"""The connections of the embedded Prefect server's database."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from deployments.server_pool import sqlite_url
from deployments.server_settings import server_environment


async def _raw(engine: AsyncEngine, *statements: str) -> Any:
    """SQLite's own connection that `statements` were run on."""
    async with engine.connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
        pooled = await connection.get_raw_connection()
        return pooled.driver_connection


async def _raw_of_failure(engine: AsyncEngine) -> Any:
    async with engine.connect() as connection:
        pooled = await connection.get_raw_connection()
        with pytest.raises(IntegrityError):
            await connection.exec_driver_sql("INSERT INTO once VALUES (1)")
        return pooled.driver_connection


def test_a_connection_whose_statement_failed_is_not_used_again(tmp_path: Path) -> None:
    """The next one in line gets a connection of its own; one that worked is used again."""

    async def scenario() -> None:
        engine = create_async_engine(sqlite_url(tmp_path / "server.db"))
        first = await _raw(
            engine, "CREATE TABLE once (key INTEGER PRIMARY KEY)", "INSERT INTO once VALUES (1)", "COMMIT"
        )
        again = await _raw(engine, "SELECT 1")
        failed = await _raw_of_failure(engine)
        fresh = await _raw(engine, "SELECT 1")
        await engine.dispose()
        assert first is again is failed
        assert fresh is not failed

    asyncio.run(scenario())


async def _one_more(engine: AsyncEngine) -> None:
    """As Prefect's server changes a row: it begins, reads, and writes what it has read."""
    async with engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN DEFERRED")
        ((count,),) = await connection.exec_driver_sql("SELECT count FROM counted")
        await asyncio.sleep(0)
        await connection.exec_driver_sql(f"UPDATE counted SET count = {count + 1}")
        await connection.exec_driver_sql("COMMIT")


def test_many_that_read_and_then_write_at_once_all_succeed(tmp_path: Path) -> None:
    """Nobody is told that the database is locked, and no count is lost."""
    many = 24

    async def scenario() -> int:
        engine = create_async_engine(sqlite_url(tmp_path / "server.db"))
        await _raw(
            engine,
            "PRAGMA journal_mode = WAL",
            "CREATE TABLE counted (count INTEGER)",
            "INSERT INTO counted VALUES (0)",
            "COMMIT",
        )
        await asyncio.gather(*(_one_more(engine) for _ in range(many)))
        async with engine.connect() as connection:
            ((count,),) = await connection.exec_driver_sql("SELECT count FROM counted")
        await engine.dispose()
        return int(count)

    assert asyncio.run(scenario()) == many


def test_the_embedded_server_opens_its_database_that_way(tmp_path: Path) -> None:
    """The server is told the plugin's name and keeps its file where it was before."""
    url = make_url(
        server_environment(tmp_path, "http://127.0.0.1:1")["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    )
    assert url.query["plugin"] == "penstock"
    assert url.database == str(tmp_path / "prefect" / "prefect.db")
