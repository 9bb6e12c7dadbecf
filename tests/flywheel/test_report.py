import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

import flywheel
from flywheel import LakeNotFoundError, write_report
from flywheel.page.tables import SHOWN
from flywheel.tables import TABLES

MADE_AT = datetime(2024, 5, 4, 7, 5, tzinfo=UTC)
SECTIONS = ["What came out", "Quality", "Latest gate failures", "Cost", "Durations of batches"]
VOID = {"meta", "link", "br", "hr", "img", "input"}
HARMLESS = (
    "html head meta title style body header h1 p time nav ul li a main dl div dt dd section h2 h3 table thead "
    "tbody tfoot tr th td data abbr svg line rect circle text desc details summary footer code"
)
HOSTILE = '"><script>document.title="owned"</script><img src=//evil.test onerror=document.title="owned">'


class Page(HTMLParser):
    """A page as read by a parser: its tags, its tables' cells by `section: heading`, and every nesting error."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text("utf-8")
        self.tags, self.attributes, self.errors = set(), [], []
        self.tables, self.words, self.title = {}, [], ""
        self.sections, self._open, self._heading = [], [], ""
        self.feed(self.source)
        self.close()
        self.errors += [f"{tag} is never closed" for tag in self._open]

    def handle_starttag(self, tag, attributes):
        """Note the tag and begin what it begins."""
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in VOID:
            self._open.append(tag)
        if tag == "h2":
            self.sections.append("")
        if tag == "h3":
            self._heading = ""
        if tag == "tr":
            self.tables.setdefault(self._key, []).append([])
        if tag in ("td", "th"):
            self.tables[self._key][-1].append(["", None])
        if tag == "data" and "td" in self._open:
            self.tables[self._key][-1][-1][1] = dict(attributes)["value"]

    def handle_startendtag(self, tag, attributes):
        """Note the tag of an element that is closed at once."""
        self.tags.add(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        """Close the innermost element, which must be this one."""
        if not self._open or self._open.pop() != tag:
            self.errors.append(f"{tag} is closed out of turn at {self.getpos()}")

    def handle_data(self, data):
        """Add words to what is open."""
        if "style" in self._open:
            return
        self.words.append(data)
        if self._open[-1:] == ["h2"]:
            self.sections[-1] += data
        if self._open[-1:] == ["h3"]:
            self._heading += data
        if self._open[-2:] == ["head", "title"]:
            self.title += data
        if {"td", "th"} & set(self._open) and "svg" not in self._open:
            self.tables[self._key][-1][-1][0] += data

    @property
    def _key(self):
        return f"{self.sections[-1]}: {self._heading}"

    def column(self, table, heading):
        """The cells under a heading: the exact value where there is one, else the words."""
        head, *rows = self.tables[table]
        at = [text for text, _ in head].index(heading)
        rows = [row for row in rows if any(text for text, _ in row)]
        return [text if value is None else value for text, value in (row[at] for row in rows)]

    def numbers(self, table, heading):
        """A column's exact values."""
        return [float(value) for value in self.column(table, heading)]


@pytest.fixture
def report(tmp_path):
    """Writes the report over a lake and reads it back, with its nesting found valid."""

    def make(root):
        page = Page(write_report(root, tmp_path / "report.html", made_at=MADE_AT))
        assert page.errors == []
        return page

    return make


@pytest.fixture
def hostile(tmp_path, frame, write):
    """A lake in which every text is an attack, and its path."""
    text = {"tenant": HOSTILE, "level": HOSTILE, "scope": HOSTILE, "stage": HOSTILE, "kind": HOSTILE}
    text |= {"form": HOSTILE, "pipeline": HOSTILE, "state": HOSTILE, "criterion": HOSTILE, "feature": HOSTILE}
    text |= {"reason": HOSTILE * 9, "item": HOSTILE, "prompt": HOSTILE, "prompt_version": HOSTILE}
    text |= {"model": HOSTILE, "batch_id": HOSTILE, "call_id": HOSTILE, "deliverable_id": HOSTILE}
    time = dict.fromkeys({"finished_at", *(table.filed_by for table in TABLES.values())}, MADE_AT)
    row = text | time | {"size": 1, "score": 0.1, "threshold": 0.7, "is_passed": False, "verdict": "FAILED"}
    write(tmp_path / "hostile", {table: frame(table, [row]) for table in TABLES})
    return tmp_path / "hostile"


def asked(root, query):
    """A query's rows by column, over the lake."""
    with flywheel.connect(root) as connection:
        cursor = connection.execute(query)
        names = [name for name, *_ in cursor.description]
        rows = cursor.fetchall()
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def test_pass_rates_are_those_of_the_views(report, lake):
    """Names, rates, intervals, counts and means equal each view's; lowest rate or latest day first."""
    page = report(lake)
    for view, headings in NAMES.items():
        where = f"Quality: By {view.replace('_', ' ')}"
        order = "day DESC" if view == "day" else "pass_rate, n_scored DESC, #1, #2"
        expected = asked(lake, f"FROM out_pass_rate_by_{view} ORDER BY {order}")
        for heading, column in headings.items():
            assert page.column(where, heading) == [str(value) for value in expected[column]]
        ends = [tuple(map(float, cell.split())) for cell in page.column(where, "95 % interval")]
        for end, column in zip(zip(*ends, strict=True), ("pass_rate_low", "pass_rate_high"), strict=True):
            assert end == pytest.approx(expected[column])
        for heading, column in MEASURES.items():
            assert page.numbers(where, heading) == pytest.approx(expected[column])


NAMES = {
    "stage": {"Stage": "stage"},
    "criterion": {"Criterion": "criterion"},
    "tenant": {"Tenant": "tenant"},
    "prompt_version": {"Prompt": "prompt", "Version": "prompt_version"},
    "model": {"Model": "model"},
    "day": {"Day (UTC)": "day"},
}
MEASURES = {
    "Pass rate": "pass_rate",
    "Passed": "n_passed",
    "Scored": "n_scored",
    "Unscored": "n_unscored",
    "Mean score": "mean_score",
}


def test_the_criterion_that_fails_first_is_counted(report, lake):
    """Each criterion shows in how many stopped items it was missed by most, and in how many alone."""
    page = report(lake)
    counted = asked(lake, "FROM out_shortfalls_by_criterion")
    pairs = zip(counted["n_first"], counted["n_alone"], strict=True)
    expected = dict(zip(counted["criterion"], pairs, strict=True))
    columns = ("Criterion", "Failed first", "Failed alone")
    found = zip(*(page.column("Quality: By criterion", heading) for heading in columns), strict=True)
    assert {name: (int(first), int(alone)) for name, first, alone in found} == expected


def test_output_cost_and_durations_are_those_of_the_views(report, lake):
    """Batches, deliverables, calls, tokens, prices and seconds equal the views' own."""
    page = report(lake)
    batches = asked(lake, "SELECT state, n_batches, n_events FROM out_batches_by_state ORDER BY state")
    found = [page.numbers("What came out: Batches", state) for state in ("DONE", "RUNNING")]
    assert found == [[count] for count in batches["n_batches"]]
    assert page.numbers("What came out: Batches", "All") == [sum(batches["n_batches"])]
    assert page.numbers("What came out: Batches", "Events") == [sum(batches["n_events"])]
    made = asked(lake, "FROM out_deliverables_by_kind")
    assert page.numbers("What came out: Deliverables", "Deliverables") == made["n_deliverables"]
    for part in ("tenant", "feature", "stage"):
        cost = f"SELECT {part}, sum(cost_usd) AS usd, sum(n_calls) AS n_calls, sum(output_tokens) AS out"
        spent = asked(lake, f"{cost} FROM out_cost_by_tenant_feature_stage GROUP BY ALL ORDER BY usd DESC")
        where = f"Cost: By {part}"
        assert page.column(where, part.capitalize()) == spent[part]
        assert page.numbers(where, "Cost") == pytest.approx(spent["usd"])
        assert page.numbers(where, "Calls") == spent["n_calls"]
        assert page.numbers(where, "Output tokens") == spent["out"]
    all_three = asked(lake, "SELECT sum(cost_usd) AS usd FROM out_cost_by_tenant_feature_stage")
    assert sum(page.numbers("Cost: By tenant, feature and stage", "Cost")) == pytest.approx(
        all_three["usd"][0]
    )
    (took,) = zip(*asked(lake, "FROM out_batch_durations").values(), strict=True)
    headings = ("Batches", "Median wait", "Median run", "Median in all", "95 % within", "Longest")
    found = [page.numbers("Durations of batches: Finished batches", heading)[0] for heading in headings]
    assert found == pytest.approx([took[at] for at in (4, 5, 7, 9, 10, 11)])


def test_the_head_sums_up_the_whole_lake(report, lake, facts):
    """Batches, deliverables, pass rate, stopped and unscored items and cost stand first, over all of it."""
    said = " ".join(" ".join(report(lake).words).split())
    verdicts = facts["generations"]["verdict"]
    passed, stopped, unscored = ((verdicts == name).sum() for name in ("PASSED", "FAILED", "UNSCORED"))
    cost = facts["model_calls"]["cost_usd"].sum()
    assert "Batches 15 12 DONE, 3 RUNNING Deliverables 9" in said
    assert f"Pass rate {passed / (passed + stopped) * 100:.1f} % 95 % interval" in said
    assert f"Stopped by the gate {stopped} of {passed + stopped} items scored Unscored {unscored}" in said
    assert f"Cost ${cost:.4f} 200 model calls" in said


def test_stopped_items_come_latest_first_with_the_judges_reason(report, lake):
    """The table of failures is the view's, newest first, cut where it is long and saying so."""
    page, where = report(lake), "Latest gate failures: Stopped items"
    expected = asked(lake, "FROM out_gate_failures ORDER BY judged_at DESC, batch_id, item")
    assert len(expected["item"]) > SHOWN
    assert f"The first {SHOWN} of {len(expected['item'])}." in " ".join(page.words)
    for heading, column in {
        "Item": "item",
        "Fell short on": "criterion",
        "The judge's reason": "reason",
    }.items():
        assert page.column(where, heading) == expected[column][:SHOWN]
    assert page.numbers(where, "Score") == pytest.approx(expected["score"][:SHOWN])


def test_hostile_text_is_inert(report, hostile):
    """Whatever a tenant, a state or a reason says is shown as text: no element, no attribute, no address."""
    page = report(hostile)
    assert page.tags <= set(HARMLESS.split())
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.column("Quality: By tenant", "Tenant") == [HOSTILE]
    (reason,) = page.column("Latest gate failures: Stopped items", "The judge's reason")
    assert reason.startswith(HOSTILE[:50])
    assert len(reason) == 400


def test_the_page_needs_nothing_but_itself(report, hostile, lake):
    """No address is fetched, links stay within the page and exist, ids are unique, and its policy says so."""
    for root in (hostile, lake):
        page = report(root)
        values = [
            value for name, value in page.attributes if name in ("src", "href", "xlink:href", "data", "style")
        ]
        ids = [value for name, value in page.attributes if name == "id"]
        assert {value.removeprefix("#") for value in values} <= set(ids)
        assert len(ids) == len(set(ids))
        style = page.source[page.source.index("<style>") : page.source.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style
        assert [
            value for name, value in page.attributes if name == "content" and "default-src 'none'" in value
        ]
    assert page.source.startswith("<!DOCTYPE html>")


def test_every_plot_has_a_title(report, lake):
    """A drawing says in words what it shows, and each scale its ends."""
    source = report(lake).source
    assert source.count('<svg role="img">') == source.count('<svg role="img"><title>')
    assert source.count("<desc>From 0") == source.count("<tfoot>") > 0


@pytest.mark.parametrize("name", ["empty", "unjudged", "unscored"])
def test_where_there_is_nothing_a_sentence_says_so(report, tmp_path, frame, write, name):
    """A lake without facts, verdicts or scores gives plain sentences and dashes, never NaN, None or a crash."""
    root = tmp_path / name
    root.mkdir()
    if name != "empty":
        verdict = None if name == "unjudged" else "UNSCORED"
        item = {"batch_id": "b", "item": "i", "created_at": MADE_AT, "stage": "insights", "verdict": verdict}
        write(root, {"generations": frame("generations", [item])})
    page = report(root)
    said = " ".join(page.words)
    assert [word for word in said.split() if word.strip(".,%$").lower() in NEVER] == []
    for sentence in (
        "No batch has been formed yet.",
        "Nothing has been delivered yet.",
        "has stopped nothing.",
    ):
        assert sentence in said
    if name != "empty":
        assert page.column("Quality: By stage", "Pass rate") == ["\N{EN DASH}"]
        assert page.numbers("Quality: By stage", "Unscored") == [int(name == "unscored")]


NEVER = {"nan", "none", "null", "inf", "-inf", "undefined"}


def test_without_prices_the_bars_show_tokens(report, tmp_path, frame, write):
    """Where no call cost anything the cost is $0 and tokens are drawn instead, and the scale says which."""
    call = {"tenant": "acme", "input_tokens": 70, "output_tokens": 5, "cost_usd": 0.0, "started_at": MADE_AT}
    write(tmp_path / "lake", {"model_calls": frame("model_calls", [call])})
    page = report(tmp_path / "lake")
    assert page.numbers("Cost: By tenant", "Cost") == [0]
    assert "<title>75</title>" in page.source
    assert "tokens, as no call had a price" in page.words


def test_the_page_carries_the_time_it_is_given_in_utc(tmp_path, lake):
    """A time of any zone is shown in UTC, and is the only thing that differs between two reports of a lake."""
    zone = timezone(timedelta(hours=5, minutes=30))
    first, second = (tmp_path / name for name in ("first.html", "second.html"))
    write_report(lake, first, made_at=MADE_AT)
    write_report(lake, second, made_at=MADE_AT.astimezone(zone))
    assert first.read_bytes() == second.read_bytes()
    assert Page(first).title == "Penstock report, 2024-05-04 07:05 UTC"


def test_a_report_is_replaced_whole_or_not_at_all(tmp_path, lake):
    """The new page takes the place of the old one; where there is no lake the old one stays, and no draft does."""
    target = tmp_path / "out" / "report.html"
    assert write_report(lake, target, made_at=MADE_AT) == target
    before = target.stat().st_ino
    write_report(str(lake.parent), target, made_at=MADE_AT)
    assert target.stat().st_ino != before
    written = target.read_bytes()
    with pytest.raises(LakeNotFoundError):
        write_report(tmp_path / "nowhere", target, made_at=MADE_AT)
    assert target.read_bytes() == written
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_the_page_and_runs_nothing_in_it(tmp_path, hostile):
    """Chromium builds every heading and table from a hostile lake's page, and the title is still ours."""
    target = write_report(hostile, tmp_path / "report.html", made_at=MADE_AT)
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --dump-dom"
    )
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = ["chromium", *options.split(), profile, target.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    dom = tmp_path / "dom.html"
    dom.write_text(shown.stdout, "utf-8")
    page = Page(dom)
    assert page.sections == SECTIONS
    assert page.title == "Penstock report, 2024-05-04 07:05 UTC"
    assert page.column("Quality: By tenant", "Tenant") == [HOSTILE]
    assert page.tags <= set(HARMLESS.split())
