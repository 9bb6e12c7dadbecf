"""What is on its way to the UI: in order, in bundles, behind the work, and patient with a server that is away."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest
from prefect.client.orchestration import PrefectClient

from benchmarks.replicas import free_port
from flows.display import BUNDLE, MOST_EVENTS, MOST_PAGES, Display

REFUSED = b"HTTP/1.1 422 Unprocessable Entity\r\ncontent-length: 2\r\n\r\n{}"
UNKNOWN = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def events_taken(port, *, first=TAKEN):
    """The bundles that a server on loopback takes; its first answer may be another."""
    bundles, answers = [], [first]

    async def answer(reader, writer):
        while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
            length = (
                int(head.split("content-length: ")[1].split("\r\n")[0]) if "content-length" in head else 0
            )
            body = await reader.readexactly(length)
            if "/events" in head.split("\r\n")[0]:
                bundles.append([event["n"] for event in json.loads(body)])
                writer.write(answers.pop() if answers else TAKEN)
            else:  # the client asks whether requests need a token against forgery
                writer.write(UNKNOWN)
            await writer.drain()

    writers = []

    async def quiet(reader, writer):
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await answer(reader, writer)

    async with await asyncio.start_server(quiet, "127.0.0.1", port):
        yield bundles
        for writer in writers:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
def port():
    """Where nobody listens yet."""
    return free_port()


@asynccontextmanager
async def display_to(port):
    """A display whose server is there, or not."""
    async with PrefectClient(f"http://127.0.0.1:{port}/api") as client:
        yield Display(client)


def test_a_server_that_is_away_is_told_later_in_order_and_of_all(port):
    """Nothing is lost while it is away, and it gets one bundle after the other."""

    async def played():
        async with display_to(port) as shown_by:
            for number in range(BUNDLE + 2):
                shown_by.tell({"n": number})
            await shown_by.send()
            async with events_taken(port) as bundles:
                await shown_by.all_sent()
                return bundles

    assert asyncio.run(played()) == [list(range(BUNDLE)), [BUNDLE, BUNDLE + 1]]


def test_what_a_server_refuses_stops_nothing(port, caplog):
    """The bundle is dropped with a word, and what comes after it is sent."""

    async def played():
        async with display_to(port) as shown_by, events_taken(port, first=REFUSED) as bundles:
            shown_by.tell({"n": 1})
            await shown_by.send()
            shown_by.tell({"n": 2})
            await shown_by.all_sent()
            return bundles

    assert asyncio.run(played()) == [[1], [2]]
    assert "refuses events of task runs" in caplog.text


def test_what_waits_for_a_server_is_bounded(port):
    """Of more than that the oldest go: the memory of a worker is worth more than rows that the ledger has anyway."""

    async def played():
        async with display_to(port) as shown_by:
            for number in range(MOST_EVENTS + 3):
                shown_by.tell({"n": number})
            await shown_by.send()
            async with events_taken(port) as bundles:
                await shown_by.all_sent()
                return bundles

    bundles = asyncio.run(played())
    assert bundles[0][0] == 3
    assert sum(map(len, bundles)) == MOST_EVENTS


def test_work_waits_for_artifacts_only_where_too_many_are_on_their_way(port):
    """Up to the bound the work goes on; beyond it, until one is drawn; at the end for all."""
    drawn = []

    async def played():
        may_draw = asyncio.Event()

        async def page(number):
            await may_draw.wait()
            drawn.append(number)

        async with display_to(port) as shown_by:
            for number in range(MOST_PAGES):
                await shown_by.draw(page(number))
            assert drawn == []
            one_more = asyncio.create_task(shown_by.draw(page(MOST_PAGES)))
            await asyncio.sleep(0)
            assert not one_more.done()
            may_draw.set()
            await one_more
            await shown_by.all_sent()

    asyncio.run(played())
    assert drawn == list(range(MOST_PAGES + 1))


def test_the_end_waits_for_a_server_that_is_away_and_not_for_ever(port, caplog):
    """What cannot be shown by then is missed with a word, and nothing goes on behind the end."""

    async def played():
        async with display_to(port) as shown_by:
            shown_by.tell({"n": 1})
            await shown_by.draw(asyncio.sleep(3600))
            await shown_by.all_sent(patience_s=0.01)

    asyncio.run(played())
    assert "2 artifacts and states are not shown" in caplog.text


def test_an_artifact_that_cannot_be_drawn_is_missed_with_a_word(port, caplog):
    """It is in the ledger: no batch fails for it."""

    async def played():
        async with display_to(port) as shown_by:

            async def page():
                await shown_by.client.read_artifacts()

            await shown_by.draw(page())
            await shown_by.all_sent()

    asyncio.run(played())
    assert "an artifact cannot be shown" in caplog.text
