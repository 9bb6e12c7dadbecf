"""Logs as JSON: a line each, about a batch, a stage and a tenant, whatever the text in it."""

import asyncio
import io
import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from flows.intake import ingest_files
from flows.rounds import work
from tasks.telemetry.logs import about, json_lines


def logged(act):
    """The lines that are written while `act` runs."""
    stream = io.StringIO()
    with json_lines(stream):
        act(logging.getLogger("penstock.test"))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@given(st.text())
def test_any_text_is_one_line(text):
    """Line breaks, control codes and lone surrogates included."""
    stream = io.StringIO()
    with json_lines(stream):
        logging.getLogger("penstock.test").info("%s", text)
    (line,) = stream.getvalue().removesuffix("\n").split("\n")
    assert json.loads(line)["message"] == text.encode("utf-8", "replace").decode()


def test_a_line_says_what_it_is_about_across_tasks():
    """What is begun within the block is about the same; what runs beside it is not."""

    async def one(log, batch):
        with about(batch=batch, tenant="acme"):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(log.info, "in a thread"))
            with about(stage="insights"):
                log.info("in a stage")

    def act(log):
        async def both():
            await asyncio.gather(one(log, "b-1"), one(log, "b-2"))
            log.info("beside")

        asyncio.run(both())

    lines = {(line["message"], line["batch"]): line for line in logged(act)}
    assert lines["in a thread", "b-1"]["tenant"] == "acme"
    assert lines["in a thread", "b-2"]["stage"] is None
    assert lines["in a stage", "b-2"]["stage"] == "insights"
    assert lines["beside", None]["tenant"] is None


def test_an_error_is_in_its_line_and_nothing_stays_behind():
    """With its traceback; after the block nothing is written."""

    def act(log):
        try:
            int("torn")
        except ValueError:
            log.exception("it broke")

    (line,) = logged(act)
    assert line["level"] == "ERROR"
    assert "ValueError: invalid literal" in line["error"]
    assert not logging.getLogger("penstock").handlers


def test_a_run_tells_each_stage_of_each_batch(make_world, lines_of, tmp_path, capfd):
    """With PENSTOCK_LOGS=json: what begins and ends is about its batch, stage and tenant."""
    world = make_world(logs="json")
    source = tmp_path / "events.ndjson"
    source.write_text(lines_of("acme", 2))
    world.run(lambda: ingest_files([str(source)]))
    capfd.readouterr()
    world.run(lambda: work(until_idle=True, flush=True))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    done = [line for line in lines if line["message"] == "stage done"]
    (batches,) = world.rows("SELECT count(*) FROM batches")[0]
    assert len(done) == 5 * batches
    assert {line["tenant"] for line in done} == {"acme"}
    assert len({(line["batch"], line["stage"]) for line in done}) == len(done)
