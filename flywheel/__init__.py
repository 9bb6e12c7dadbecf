"""The analysts' side: the ledger's facts as Parquet by day, and DuckDB views over them.

`connect()` opens the lake, `describe()` says what every column means, `publish()` writes the views to a file
for any DuckDB tool, `write_report()` answers the commonest questions on a page. `flywheel.lake` writes days.
Imports nothing of ours: frames come in from outside.
"""

from flywheel.connection import connect, describe, find_lake, publish
from flywheel.errors import LakeError, LakeNotFoundError, LakeSchemaError
from flywheel.lake import days, forget, write_day
from flywheel.report import write_report

__all__ = [
    "LakeError",
    "LakeNotFoundError",
    "LakeSchemaError",
    "connect",
    "days",
    "describe",
    "find_lake",
    "forget",
    "publish",
    "write_day",
    "write_report",
]
