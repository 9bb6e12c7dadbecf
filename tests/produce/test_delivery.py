"""Files that people receive: whole, in their folder, and sent again until they have arrived."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.deliverables import Deliverable, DeliverableKind, Provenance
from ledger.dead_letters import list_letters
from ledger.deliveries import commit_batch
from ledger.erasure import erase_person
from ledger.outbox import has_messages
from ledger.replays import replay_letter
from tasks.delivery import FILE_CHANNEL, deliverable_id, deliverable_path, publish_to_files
from tasks.publisher import ATTEMPTS, CHANNELS, FIRST_WAIT, LONGEST_WAIT, publish, wait_after
from tasks.runtime import runtime
from tasks.settings import Settings

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=256)


def deliverable(now, number=1, *, tenant="acme", batch="b-1", text="# Fine\n") -> Deliverable:
    """A deliverable that says `text`."""
    return Deliverable(
        id=deliverable_id(batch, f"item-{number}"),
        batch=batch,
        tenant=tenant,
        user=None,
        kind=DeliverableKind.NOTICE,
        form="end_user",
        title="Fine",
        markdown=text,
        content={"subject": "Fine"},
        scores={"clarity": 0.9},
        provenance=Provenance(
            events=("e-1",),
            prompt="notice",
            prompt_version="p1",
            rubric_version="r1",
            model="m",
            judge_model="j",
            cost_usd=0.01,
        ),
        created_at=now,
    )


def files_in(folder: Path) -> dict[str, str]:
    """Every file below the folder with its text."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_deliverable_is_a_readable_file_and_its_whole_record(tmp_path, clock):
    """Markdown for people; beside it JSON that is the deliverable again, provenance and all."""
    made = deliverable(clock.now, text="# Größe und Öffnung\n")
    path = publish_to_files(tmp_path, made)
    assert path == deliverable_path(tmp_path, made)
    assert path.parent == tmp_path / "acme" / "b-1"
    assert path.read_text(encoding="utf-8") == made.markdown
    assert Deliverable.model_validate_json(path.with_suffix(".json").read_bytes()) == made


def test_published_twice_it_is_the_same_two_files(tmp_path, clock):
    """Delivery is at least once, and a repeat changes nothing and leaves nothing behind."""
    publish_to_files(tmp_path, deliverable(clock.now))
    once = files_in(tmp_path)
    publish_to_files(tmp_path, deliverable(clock.now))
    assert files_in(tmp_path) == once
    assert len(once) == 2


def test_a_reader_never_sees_half_a_file(tmp_path, clock):
    """Many publish one deliverable at once, as lanes do: every look finds it whole, and no draft is left."""
    made = deliverable(clock.now, text="word " * 40_000)
    path = publish_to_files(tmp_path, made)
    with ThreadPoolExecutor(6) as pool:
        publishing = [pool.submit(publish_to_files, tmp_path, made) for _ in range(40)]
        while not all(one.done() for one in publishing):
            assert path.read_text() == made.markdown
        assert {one.result() for one in publishing} == {path}
    assert len(files_in(tmp_path)) == 2


def test_a_failed_write_leaves_no_draft(tmp_path, clock):
    """What cannot be put in place is taken away again, and the error is the caller's."""
    made = deliverable(clock.now)
    deliverable_path(tmp_path, made).mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        publish_to_files(tmp_path, made)
    assert files_in(tmp_path) == {}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenant=NAMES)
@example("..")
@example("../../etc")
@example("/etc/passwd")
@example("...//....//x")
@example("a" * 256)
@example("ü" * 256)
@example("~")
@example("con\nnul\t")
def test_a_hostile_tenant_stays_inside_the_folder(tmp_path, clock, tenant):
    """Whatever a tenant is called, its file lies in one folder of its own below ours, and can be written."""
    folder = tmp_path / "out"
    path = publish_to_files(folder, deliverable(clock.now, tenant=tenant))
    inside = path.resolve().relative_to(folder.resolve())
    assert len(inside.parts) == 3
    assert path.read_text() == "# Fine\n"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=2, max_size=2, unique=True))
@example(["a/b", "a_b"])
@example([".a", "a"])
@example(["a" * 120, "a" * 121])
@example(["a b", "a_b~c0ffee00"])
def test_two_tenants_never_share_a_folder(tmp_path, clock, names):
    """Names that differ have folders that differ, also where their harmless parts are the same."""
    folders = {deliverable_path(tmp_path, deliverable(clock.now, tenant=name)).parent for name in names}
    assert len(folders) == 2


def test_no_tenant_can_take_the_folder_another_one_has(tmp_path, clock):
    """The folder's name of an odd tenant, used as a name, is another folder."""
    odd = deliverable_path(tmp_path, deliverable(clock.now, tenant="a b")).parent
    same = deliverable_path(tmp_path, deliverable(clock.now, tenant=odd.parent.name)).parent
    assert odd != same


def test_the_same_item_of_a_batch_always_has_the_same_key():
    """The id is derived: a receiver drops what comes twice, and other items never look like a repeat."""
    assert deliverable_id("b-1", "insights") == deliverable_id("b-1", "insights")
    assert len({deliverable_id(batch, item) for batch in ("b-1", "b-2") for item in ("x", "y")}) == 4


@pytest.fixture
def delivering(sqlite_url, sqlite_ledger, fill, clock, tmp_path):
    """Commit deliverables, then publish what is due: `publish` in a runtime of its own."""
    home = Settings(home=tmp_path / "home", database_url=sqlite_url, offline_url="http://127.0.0.1:9")

    class Delivering:
        settings = home

        def commit(self, *numbers, user=None, **fields):
            work = fill.claimed(sqlite_ledger, ["It is fine."], user=user)
            made = [deliverable(clock.now, number, batch=work.batch.id, **fields) for number in numbers]
            commit_batch(sqlite_ledger, work.batch.id, work.lease, made, [FILE_CHANNEL], clock.now)
            return made

        def publish(self) -> int:
            async def once():
                async with runtime(home, clock=clock) as run:
                    return await publish(run)

            return asyncio.run(once())

        def is_due(self):
            return has_messages(sqlite_ledger, clock.now)

    return Delivering()


def test_what_is_committed_goes_out_once(delivering):
    """Two messages, four files, and nothing due any more."""
    delivering.commit(1, 2)
    assert [delivering.publish(), delivering.publish()] == [2, 0]
    assert len(files_in(delivering.settings.deliverables)) == 4
    assert not delivering.is_due()


def test_a_folder_that_cannot_be_written_delays_and_loses_nothing(delivering, clock):
    """A file stands where the folder should: the message stays due, a little later, and then goes out."""
    delivering.settings.deliverables.parent.mkdir(parents=True)
    delivering.settings.deliverables.write_text("in the way")
    delivering.commit(1)
    assert delivering.publish() == 0
    assert not delivering.is_due()
    clock.advance(seconds=FIRST_WAIT / timedelta(seconds=1))
    assert delivering.is_due()
    delivering.settings.deliverables.unlink()
    assert delivering.publish() == 1
    assert len(files_in(delivering.settings.deliverables)) == 2


def test_what_cannot_be_delivered_waits_ever_longer_and_ends_as_a_dead_letter(
    delivering, sqlite_ledger, clock
):
    """Ten attempts, 30 s to an hour apart; the letter names the file, and a replay delivers once it can."""
    delivering.settings.deliverables.parent.mkdir(parents=True)
    delivering.settings.deliverables.write_text("in the way")
    (made,) = delivering.commit(1)
    waits = [wait_after(attempt) for attempt in range(1, ATTEMPTS)]
    assert (waits[0], waits[1], max(waits)) == (FIRST_WAIT, 2 * FIRST_WAIT, LONGEST_WAIT)
    for wait in waits:
        assert delivering.publish() == 0
        assert list_letters(sqlite_ledger) == ()
        clock.advance(seconds=wait / timedelta(seconds=1))
    assert delivering.publish() == 0
    (letter,) = list_letters(sqlite_ledger)
    assert (letter.stage, letter.attempts, letter.payload["deliverable"]) == ("delivery", ATTEMPTS, made.id)
    assert letter.error in {"FileExistsError", "NotADirectoryError"}
    delivering.settings.deliverables.unlink()
    assert replay_letter(sqlite_ledger, letter, clock.now)
    assert delivering.publish() == 1


def test_what_is_erased_on_its_way_does_not_stay(delivering, sqlite_ledger, clock, monkeypatch):
    """A person is erased after their deliverable was taken from the outbox: what is then written goes again."""

    async def erased_meanwhile(run, message):
        erase_person(sqlite_ledger, "acme", ["ann"], clock.now)
        publish_to_files(run.settings.deliverables, message.deliverable)

    monkeypatch.setitem(CHANNELS, FILE_CHANNEL, erased_meanwhile)
    delivering.commit(1, user="ann")
    assert delivering.publish() == 0
    assert files_in(delivering.settings.deliverables) == {}


def test_a_deliverable_that_cannot_be_read_is_a_dead_letter_and_holds_up_no_other(
    delivering, sqlite_ledger, clock
):
    """Of a version that nobody reads: given up at once, whole in its letter; replayed once it is read, it leaves."""
    made = delivering.commit(1, 2)
    with sqlite_ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE deliverables SET schema_version = '9' WHERE id = ?", (made[0].id,))
    assert delivering.publish() == 1
    (letter,) = list_letters(sqlite_ledger)
    assert "deliverable of schema version '9': this Penstock reads 1" in letter.message
    assert letter.payload["original"] == made[0].model_dump(mode="json")
    assert letter.verdicts == {made[0].id: made[0].scores}
    assert not delivering.is_due()
    with sqlite_ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE deliverables SET schema_version = '1'")
    assert replay_letter(sqlite_ledger, letter, clock.now)
    assert delivering.publish() == 1


def test_one_that_cannot_go_out_does_not_hold_up_the_others(delivering):
    """Of two tenants one has a file in the place of its folder: the other's deliverable arrives."""
    delivering.commit(1, tenant="blocked")
    delivering.commit(2, tenant="free")
    delivering.settings.deliverables.mkdir(parents=True)
    (delivering.settings.deliverables / "blocked").write_text("in the way")
    assert delivering.publish() == 1
    assert [path.name for path in delivering.settings.deliverables.iterdir() if path.is_dir()] == ["free"]
