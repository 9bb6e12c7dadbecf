"""Health of a gateway: it lives while it answers, and is ready while its ledger does."""

import httpx
import psycopg

from ledger.engine import close_ledger, open_ledger
from tests.gateway.conftest import EVENT, Door, served


def test_a_gateway_is_well_while_its_ledger_answers(settings_of, copied_postgres):
    """Asked without a key. When the ledger has gone it lives on, is not ready, and takes nothing in."""
    book = open_ledger(copied_postgres)
    key = Door("", book).key("acme")
    close_ledger(book)
    with served(settings_of(database_url=copied_postgres)) as address:
        ready, live = f"{address}/readyz", f"{address}/livez"
        assert (httpx.get(live).status_code, httpx.get(ready).status_code) == (200, 200)
        name = copied_postgres.partition("?")[0].rpartition("/")[2]
        others = copied_postgres.replace(f"/{name}?", "/postgres?")
        with psycopg.connect(others, autocommit=True) as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            assert (httpx.get(live).status_code, httpx.get(ready).status_code) == (200, 503)
            answer = httpx.post(f"{address}/v1/events", json=EVENT, headers={"x-api-key": key})
            assert answer.status_code == 503
            assert (answer.headers["retry-after"], name in answer.text) == ("5", False)
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert httpx.get(ready).status_code == 200
        assert httpx.post(f"{address}/v1/events", json=EVENT, headers={"x-api-key": key}).status_code == 202
