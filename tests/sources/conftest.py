"""Records as sources send them, and a mapper for them."""

import io
from datetime import UTC, datetime

import pytest

from ledger.engine import close_ledger, open_ledger
from tasks.sources.intake import ingest
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def mapping():
    """The shipped mapping."""
    return load_mapping()


@pytest.fixture(scope="session")
def mapper(mapping):
    """The shipped mapping at work."""
    return Mapper(mapping)


@pytest.fixture(scope="session")
def record():
    """A maker of records that become events; fields given as None are left out."""

    def make(**fields):
        usual = {"id": "1", "source": "app", "type": "feedback.submitted", "tenant": "acme"}
        usual |= {"time": "2024-05-01", "data": {"text": "fine"}} | fields
        return {name: value for name, value in usual.items() if value is not None}

    return make


@pytest.fixture
def book(sqlite_url):
    """A fresh SQLite ledger."""
    opened = open_ledger(sqlite_url)
    yield opened
    close_ledger(opened)


@pytest.fixture
def take_in(book, mapper):
    """Ingest paths, or the bytes given as standard input, into the fresh ledger."""

    def take(*paths, text=None, **options):
        stdin = None if text is None else io.BytesIO(text)
        return ingest(book, paths, mapper, now=lambda: NOW, stdin=stdin, **options)

    return take
