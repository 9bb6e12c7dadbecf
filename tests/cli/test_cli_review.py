"""Reviews on the command line: drawn, shown, given, imported; and what they say of the judge."""

import json

import pytest

from contracts.reviews import SampleKind
from ledger.batches import create_batches
from ledger.engine import close_ledger, open_ledger
from ledger.reviews import draw_sample, to_review
from ledger.work import store_draft, store_verdict
from tests.ledger.conftest import Make

CRITERIA = ("relevance", "clarity", "tone", "no_system_leakage", "user_actionable")
REPORT = {
    "summary": "Nobody answers the phone.",
    "insights": [
        {
            "title": "Nobody answers",
            "finding": "3 of 4 events",
            "affected_events": 3,
            "severity": "high",
            "evidence": [{"event": 1, "quote": "nobody answers"}],
        }
    ],
}


@pytest.fixture
def reviewed(bare):
    """An installation with 120 judged items of twelve tenants, of which 60 were drawn by chance; which those are."""
    make = Make()
    bare.home.mkdir(parents=True)
    book = open_ledger(f"sqlite:///{bare.home / 'ledger.db'}")
    for number in range(120):
        tenant = f"t{number % 12}"
        plan = make.plan(make.take_in(book, [make.event(number, tenant=tenant)]), tenant=tenant)
        create_batches(book, [plan], make.now)
        store_draft(book, plan.id, make.draft(content=REPORT), make.now)
        good = number % 5 != 0
        scores = [make.score(name, 0.9 if good else 0.4) for name in CRITERIA]
        store_verdict(book, plan.id, "insights", "passed" if good else "failed", scores, make.now)
    draw_sample(book, SampleKind.RANDOM, 60, 1, make.now)
    drawn = [one.batch for one in to_review(book, "ann", 100)]
    close_ledger(book)
    return drawn


def csv(path, lines):
    """A file of reviews."""
    path.write_text("batch,item,reviewer,verdict,tone,comment\n" + "\n".join(lines) + "\n")
    return str(path)


def test_items_are_drawn_shown_and_reviewed(bare, reviewed):
    """As their reader gets them, without what the judge said."""
    assert bare.json("review", "draw", "--size", "100") == {"kind": "random", "drawn": 60}
    shown = bare("review", "next", "--reviewer", "ann", code=0).stdout
    assert "Nobody answers" in shown
    assert "0.9" not in shown
    (first,) = bare.json("review", "next", "--reviewer", "ann")
    give = ("review", "give", first["batch"], first["item"])
    assert bare.json(*give, "accept", "--reviewer", "ann", "--score", "tone=0.8")["scores"] == {"tone": 0.8}
    assert "reviewed" in bare(*give, "reject", "--reviewer", "ann", code=2).stderr
    assert (
        "Input should be less" in bare(*give, "accept", "--reviewer", "b", "--score", "tone=8", code=2).stderr
    )
    assert "as tone=0.8" in bare(*give, "accept", "--reviewer", "b", "--score", "tone", code=2).stderr
    assert "maybe" in bare(*give, "maybe", "--reviewer", "b", code=2).stderr
    del reviewed


def test_reviews_come_by_csv_and_what_is_none_is_told_by_its_line(bare, reviewed, tmp_path):
    """The others are taken."""
    lines = [
        f"{reviewed[0]},insights,ann,accept,0.9,",
        f"{reviewed[0]},insights,ann,reject,,again",
        f"{reviewed[1]},insights,ann,perhaps,,",
        f"{reviewed[1]},insights,ann,accept,1.5,",
        "b-none,insights,ann,accept,,",
        f"{reviewed[1]},insights,ann,REJECT,,",
        f"{reviewed[2]},insights",
    ]
    told = json.loads(bare("review", "import", csv(tmp_path / "r.csv", lines), "--json", code=1).stdout)
    assert told["taken"] == 2
    assert [one["line"] for one in told["refused"]] == [3, 4, 5, 6, 8]
    assert "Not taken" in bare("review", "import", str(tmp_path / "r.csv"), code=1).stdout
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "has no column batch" in bare("review", "import", str(tmp_path / "x.csv"), code=2).stderr
    assert "cannot be read" in bare("review", "import", str(tmp_path / "gone.csv"), code=2).stderr


def test_what_people_say_of_a_sample_corrects_what_the_judge_says_of_all(bare, reviewed, tmp_path):
    """The judge passes 80 %; people reject a quarter of that; the corrected rate says so, with its interval."""
    lines = []
    for number, batch in enumerate(reviewed):
        lines.append(f"{batch},insights,ann,{'reject' if number % 4 == 0 else 'accept'},0.8,")
    bare("review", "import", csv(tmp_path / "r.csv", lines), code=0)
    whole, *criteria = bare.json("review", "judge", "--bad-pass", "20", "--needless-fail", "1")
    assert (whole["criterion"], whole["judged"], whole["labelled"]) == ("overall", 120, 60)
    rates = whole["pass_rates"]
    assert rates["judge alone"]["value"] == pytest.approx(0.8)
    assert rates["people alone"]["value"] == pytest.approx(0.75)
    assert rates["PPI++"]["low"] < 0.75 < rates["PPI++"]["high"]
    assert {one["criterion"] for one in criteria} == set(CRITERIA)
    text = bare("review", "judge", code=0).stdout
    assert "Pass rates" in text
    assert "insufficient data" in text
    assert "nan" not in text.lower()
    assert "give both" in bare("review", "judge", "--bad-pass", "1", code=2).stderr


def test_without_reviews_there_are_reasons_and_no_figures(bare):
    """An empty installation is no fault."""
    text = bare("review", "judge", code=0).stdout
    assert "0 items were judged" in text
    assert "insufficient data" in text
