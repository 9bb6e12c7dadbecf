"""The real packs are read as they are."""

from collections import Counter
from pathlib import Path

import orjson
import pytest

from ledger.intake import IntakeCounts, read_rejections
from tasks.sources.read import read_raw

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SAMPLE = DATA / "sample" / "events" / "events.ndjson"
FULL = DATA / "full" / "events"

needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason="the sample pack is not beside the project")
needs_full = pytest.mark.skipif(not FULL.is_dir(), reason="the full pack is not beside the project")


@needs_sample
def test_every_event_of_the_sample_pack_is_accepted_once(take_in):
    """2,684 events, and 2,684 duplicates the second time."""
    assert take_in(SAMPLE).counts == IntakeCounts(2_684, 2_684, 0, 0)
    assert take_in(SAMPLE).counts == IntakeCounts(2_684, 0, 2_684, 0)


@needs_full
def test_the_full_pack_is_accepted_but_for_what_names_no_tenant(take_in, book):
    """24,148 records, of which 215 name no tenant and nothing else is wrong."""
    assert take_in(FULL).counts == IntakeCounts(24_148, 23_933, 0, 215)
    refused = read_rejections(book, 1_000)
    assert {one.reason.partition(":")[0] for one in refused} == {"no tenant"}
    assert {Path(one.origin).name for one in refused} == {"surveys_star.ndjson", "transcripts_star.ndjson"}
    assert all(orjson.loads(one.raw)["tenant"] is None for one in refused)


@needs_full
def test_real_events_have_believable_priorities_and_topics(mapper):
    """No kind is all of one level, few events are HIGH, and hardly any falls back to its kind as a topic."""
    levels, fallbacks, total = {}, 0, 0
    for path in sorted(FULL.glob("*.ndjson")):
        for record in read_raw(path):
            if record.value["tenant"] is None:
                continue
            event = mapper.event(record.value)
            levels.setdefault(event.type, Counter())[event.priority] += 1
            fallbacks += event.topic in {"feedback", "support", "survey", "alert"}
            total += 1
    assert all(len(counter) > 1 for counter in levels.values())
    high = sum(counter["HIGH"] for counter in levels.values())
    assert 0.01 < high / total < 0.1
    assert fallbacks / total < 0.01
