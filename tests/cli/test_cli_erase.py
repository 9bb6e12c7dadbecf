"""`penstock erase`: a person gone from every store of a real installation, and what it says of it."""

import json
from pathlib import Path

import pytest

from deployments.offline_model.server import serve_offline
from tests.stores import in_files, in_lake

ANN = "ann.marsden@example.test"
WORDS = "purple accordion"
OTHERS = "green trombone"


@pytest.fixture(scope="module")
def lived(home_beside, cli_at, lines_of):
    """An installation in which Ann and Bob have been worked on, Ann once in vain."""
    refused = {"match": {"schema": "Notice", "contains": "angryco"}, "play": {"kind": "error", "status": 400}}
    with serve_offline([refused]) as model:
        cli = cli_at(home_beside("erased")).given(
            PENSTOCK_OFFLINE_URL=model.url,
            PENSTOCK_SOLUTION_FORMS='["action_plan"]',
            PENSTOCK_AUDIENCES='["admin"]',
        )
        cli("ingest", "-", stdin=events(lines_of), code=0)
        cli.json("run", "--until-idle", "--flush", code=1)
        cli("report", code=0)
        yield cli


def events(lines_of) -> str:
    """Ann's at three tenants, once in a rage, Bob's at one, and a broken message that names Ann."""
    ann = {"user": ANN, "text": f"The {WORDS} was busy and nobody called back"}
    rage = {"user": ANN, "text": f"I HAVE CALLED AND CALLED ABOUT THAT STUPID {WORDS.upper()}"}
    bob = {"user": "bob", "text": f"The {OTHERS} was busy and nobody called back"}
    made = [
        lines_of("acme", 2, **ann),
        lines_of("angryco", 2, **ann),
        lines_of("shoutco", 2, **rage),
        lines_of("bobco", 2, **bob),
        json.dumps({"user": ANN, "text": WORDS}) + "\n",
    ]
    return "".join(made)


def everywhere(cli) -> dict[str, str]:
    """All that the installation has written, Prefect's own database and logs too."""
    return {**in_files(cli.home), **in_files(cli.home / "prefect"), "lake": in_lake(cli.home)}


def places(cli, words) -> set[str]:
    """Where the words stand, in whatever case."""
    return {place for place, text in everywhere(cli).items() if words.lower() in text.lower()}


def test_without_anybody_to_ask_nothing_is_removed(lived):
    """A rehearsal says what there is; without --yes and a terminal the command refuses."""
    found = lived.json("erase", "--tenant", "acme", "--user", ANN, "--dry-run")["would_remove"]
    assert found["events"] == 2
    assert found["batches"] >= 1
    assert "--yes" in lived.complaint("erase", "--tenant", "acme", "--user", ANN, code=2)
    assert lived.json("erase", "--tenant", "acme", "--user", ANN, "--dry-run")["would_remove"] == found


@pytest.mark.parametrize("whom", [("--tenant", "acme", "--user", " "), ("--tenant", "", "--user", ANN)])
def test_nobody_is_erased_by_an_empty_name(lived, whom):
    """A variable of a script that was not set means nobody, and not everybody."""
    assert "is empty" in lived.complaint("erase", *whom, "--yes", code=2)


def test_blanks_around_a_name_are_no_part_of_it(lived):
    """Who is pasted with a blank is found all the same."""
    found = lived.json("erase", "--tenant", " acme", "--user", f"{ANN} ", "--dry-run")["would_remove"]
    assert found["events"] == 2


def test_a_person_nobody_knows_is_said_to_be_unknown(lived):
    """Nothing is found, nothing is asked."""
    found = lived.json("erase", "--tenant", "acme", "--user", "nobody", "--yes")
    assert set(found.values()) == {0}


def test_a_person_is_gone_from_every_store_and_the_others_are_not(lived):
    """Ledger, files, artifacts, lake, its old versions, report and Prefect's database hold nothing of Ann's."""
    seen = places(lived, WORDS)
    assert {"prefect.db.artifact", "ledger.db.events", "ledger.db.dead_letters"} <= seen
    assert "lake" in places(lived, ANN)
    assert lived.json("status")["batches"]["by_state"].keys() == {"DONE", "FAILED", "DEAD"}
    before = everywhere(lived)
    removed = {
        tenant: lived.json("erase", "--tenant", tenant, "--user", ANN, "--yes")
        for tenant in ("acme", "angryco", "shoutco")
    }
    assert places(lived, WORDS) == set()
    assert places(lived, ANN) == set()
    assert removed["acme"]["events"] == 2
    assert removed["acme"]["rejections"] == 1
    assert removed["acme"]["files"] == removed["acme"]["deliverables"] > 0
    assert removed["acme"]["artifacts"] > 0
    assert removed["angryco"]["letters"] > 0
    assert all(one["lake_versions"] for one in removed.values())
    kept = [name for name, text in before.items() if name.startswith("deliverables/bobco") and text]
    assert kept
    after = everywhere(lived)
    assert all(after[name] == before[name] for name in kept)
    assert "bob" in after["lake"]


def test_people_read_what_was_removed_and_what_is_not_in_our_hands(lived):
    """A second time there is nothing left, and the page over the lake still opens."""
    said = lived("erase", "--tenant", "acme", "--user", ANN, "--yes", code=0).stdout
    assert "Removed" in said
    assert "Not in Penstock's hands" in said
    assert Path(lived("report", code=0).stdout.strip()).is_file()
    assert lived.json("status")["events"]["accepted"] == 8
