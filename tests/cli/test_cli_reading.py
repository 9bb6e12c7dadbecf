"""`status`, `show`, `costs` and `dlq` over a home in which every way of ending has happened."""

import re

import pytest
from rich.cells import cell_len

FIELD_NAMES = {
    "by_state",
    "input_tokens",
    "cost_usd",
    "created_at",
    "resume_at",
    "no_system_leakage",
    "lease",
}
SHORT_ID = re.compile(r"\b[bdx]-[0-9a-f]{10}\b")


def batch_in(worked, state) -> str:
    """The beginning of the id of a batch in that state, as `status` prints it."""
    shown = worked.cli("status", code=0).stdout
    return re.search(rf"(b-[0-9a-f]{{10}}) +{state}", shown)[1]


COUNTED = ["events", "batches", "deliverables", "calls", "cost_usd", "undelivered"]


def test_status_has_exactly_the_promised_keys(worked):
    """Programs rely on the keys of `status --json`."""
    now = worked.cli.json("status")
    assert list(now) == [*COUNTED, "breakers", "paused", "stuck"]
    assert (now["breakers"], now["paused"], now["stuck"]) == ([], [], [])
    assert now["events"] == {"accepted": 5, "duplicates": 1, "rejected": 2}
    assert list(now["batches"]) == ["total", "by_state", "by_level", "by_scope"]
    assert list(now["deliverables"]) == ["total", "by_kind"]
    assert now["batches"]["by_state"] == {"DEAD": 1, "DONE": 2, "FAILED": 1}
    assert now["batches"]["by_scope"] == {"tenant": 3, "user": 1}


def test_run_says_the_same_of_what_it_did_and_how_long_it_took(worked):
    """`run --json` has the counts of `status` and `wall_s`, and counts its own work."""
    now = worked.cli.json("status")
    assert list(worked.run) == [*COUNTED, "wall_s"]
    assert worked.run["events"] == {"accepted": 0, "duplicates": 0, "rejected": 0}
    assert {key: worked.run[key] for key in COUNTED[1:]} == {key: now[key] for key in COUNTED[1:]}


def test_a_batch_is_found_by_the_beginning_of_its_id(worked):
    """`status BATCH --json` tells all about the only batch whose id begins so."""
    short = batch_in(worked, "FAILED")
    found = worked.cli.json("status", short)
    assert set(found) == {"batch", "history", "items", "deliverables", "diagnosis"}
    assert found["batch"]["id"].startswith(short)
    assert [step["to"] for step in found["history"]] == ["READY", "RUNNING", "FAILED"]
    assert found["items"][0]["verdict"] == "failed"
    assert found["items"][0]["scores"]["tone"] < 0.7
    assert {"summary", "rootCause", "suggestedFix", "claudePrompt"} <= set(found["diagnosis"])
    assert worked.cli.json("status", found["batch"]["id"]) == found


def test_a_batch_that_failed_says_why_and_what_to_do(worked):
    """A person sees the state, the scores and the diagnosis."""
    shown = worked.cli("status", batch_in(worked, "FAILED"), code=0).stdout
    for words in ("FAILED", "did not pass the gate", "How it got there", "tone", "What to do"):
        assert words in shown


def test_a_deliverable_is_found_by_the_beginning_of_its_id(worked):
    """`show DELIVERABLE --json` is the deliverable as it went out."""
    made = worked.cli.json("status", batch_in(worked, "DONE"))["deliverables"]
    found = worked.cli.json("show", made[0]["id"][:10])
    assert found["id"] == made[0]["id"]
    assert found["provenance"]["events"] == ["acme-0", "acme-1"]
    assert min(found["scores"].values()) >= 0.7
    shown = worked.cli("show", made[0]["id"], code=0).stdout
    assert "Where it comes from" in shown
    assert found["batch"] in shown


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("status", "b-absent"), "no batch has the id 'b-absent'"),
        (("show", "d-absent"), "no deliverable has the id 'd-absent'"),
        (("dlq", "show", "x-absent"), "no dead letter has the id 'x-absent'"),
        (("status", "b-"), "more than one id"),
    ],
)
def test_an_id_that_nothing_or_too_much_has_is_one_line_and_exit_code_2(worked, command, said):
    """An id that does not lead to one thing is the operator's to correct."""
    assert said in worked.cli.complaint(*command, code=2)


def test_costs_add_up_to_what_status_says(worked):
    """The total of `costs --json` is the sum of its rows and agrees with `status`."""
    spent, now = worked.cli.json("costs"), worked.cli.json("status")
    assert set(spent) == {"rows", "total"}
    assert list(spent["total"]) == ["calls", "input_tokens", "output_tokens", "cost_usd"]
    for name, total in spent["total"].items():
        assert total == pytest.approx(sum(row[name] for row in spent["rows"]))
    assert (spent["total"]["calls"], spent["total"]["cost_usd"]) == (now["calls"], now["cost_usd"])


def test_a_dead_letter_says_what_happened_where_and_what_to_do(worked):
    """`dlq list` and `dlq show` lead from the fact to the diagnosis."""
    (letter,) = worked.cli.json("dlq", "list")
    assert {"id", "stage", "tenant", "error", "attempts", "at"} <= set(letter)
    assert (letter["tenant"], letter["stage"], letter["attempts"]) == ("brokeco", "insights", 1)
    found = worked.cli.json("dlq", "show", letter["id"][:8])
    assert found["id"] == letter["id"]
    assert [event["id"] for event in found["payload"]["events"]] == ["brokeco-0", "brokeco-1"]
    shown = worked.cli("dlq", "show", letter["id"], code=0).stdout
    for words in ("HTTP 400", "What to do", "Diagnosis"):
        assert words in shown


def test_lists_fit_80_columns_with_whole_ids_and_no_field_names(worked):
    """Nothing is cut off or wrapped within an id on the narrowest usual terminal."""
    letter = worked.cli.json("dlq", "list")[0]["id"]
    batch = batch_in(worked, "DONE")
    for command in (
        ["status"],
        ["status", batch],
        ["costs"],
        ["dlq", "list"],
        ["dlq", "show", letter],
    ):
        table = worked.cli(*command, code=0).stdout.split("Traceback")[0]
        assert max(cell_len(line) for line in table.splitlines()) <= 80, command
        assert not FIELD_NAMES & set(re.findall(r"\w+", table)), command
    assert len(SHORT_ID.findall(worked.cli("status", code=0).stdout)) == 6


def test_what_events_say_is_never_markup_nor_a_terminal_s_command(worked):
    """A hostile event can neither colour, clear nor crash the operator's terminal."""
    shown = worked.cli("status", code=0).stdout
    assert "[/red]\\x1b[2J9" in shown
    assert "\x1b" not in shown


def test_a_fresh_home_says_that_nothing_is_there_yet(bare):
    """Reading commands work before anything has come in."""
    assert bare.json("status")["batches"]["total"] == 0
    assert bare.json("dlq", "list") == []
    assert bare.json("costs")["rows"] == []
    assert "No model was called yet." in bare("costs", code=0).stdout
    assert "No dead letters" in bare("dlq", "list", code=0).stdout
