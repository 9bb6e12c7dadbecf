"""Logs that machines read: a JSON object a line, with the batch, stage and tenant that it is about."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import orjson

ABOUT: Final = ("batch", "stage", "tenant")
"""On every line, null where it is about no batch."""

LOGGERS: Final = ("prefect", "penstock")
"""Prefect's, beneath which the flows log, and our own."""

_about: ContextVar[dict[str, str]] = ContextVar("penstock_about", default={})  # noqa: B039 - never changed in place


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """What is logged in the block, by tasks begun in it too, is about these: `batch`, `stage`, `tenant`."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """A record as one line of JSON, which no text in it can break."""

    def format(self, record: logging.LogRecord) -> str:
        """`at`, `level`, `logger`, `message`, what it is about, its runs' names, and the error if there is one."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: _about.get().get(name) for name in ABOUT},
            "flow_run": getattr(record, "flow_run_name", None),
            "task_run": getattr(record, "task_run_name", None),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        # A lone surrogate is no UTF-8, and a log line is no reason to fail.
        return orjson.dumps(_writable(line)).decode()


def _writable(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in line.items()
    }


@contextmanager
def json_lines(stream: TextIO) -> Iterator[None]:
    """Log to `stream` for the time of the block, from INFO up."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.setLevel(logging.INFO)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
