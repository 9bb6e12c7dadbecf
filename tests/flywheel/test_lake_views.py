import math
from datetime import date

import duckdb
import polars as pl
import polars.testing
import pytest
from scipy.stats import binomtest

import flywheel
from flywheel import LakeSchemaError
from flywheel.tables import TABLES


def types_of(connection):
    """View, column and type of everything described, as tuples."""
    return flywheel.describe(connection).select("view", "column", "type").rows()


def test_an_empty_lake_has_every_view_with_the_types_of_a_full_one(lake, tmp_path):
    """Queries written on a full lake run on one that has no rows yet, and give none."""
    (tmp_path / "empty").mkdir()
    with flywheel.connect(lake) as full, flywheel.connect(tmp_path / "empty") as empty:
        assert types_of(empty) == types_of(full)
        for view in flywheel.describe(empty)["view"].unique():
            assert empty.sql(f"FROM {view}").fetchall() == []


def test_types_do_not_depend_on_what_is_null(tmp_path, frame, write):
    """A table whose nullable columns are all null reads with the declared types."""
    write(tmp_path, {"batches": frame("batches", [{"created_at": NOON}])})
    with flywheel.connect(tmp_path) as connection:
        found = {name: kind for view, name, kind in types_of(connection) if view == "raw_batches"}
    assert found == {column.name: column.sql_type for column in TABLES["batches"].columns} | {"day": "DATE"}


def test_raw_views_hold_exactly_what_was_written(lake, facts, ask):
    """Every fact comes back, equal in value and type, over all days."""
    with flywheel.connect(lake) as connection:
        for table, written in facts.items():
            found = ask(connection, f"SELECT * EXCLUDE day FROM raw_{table}")
            assert found.sort(pl.all()).equals(written.sort(pl.all())), table


def test_every_column_of_every_view_has_a_meaning(lake):
    """Nobody has to guess what a figure is, nor its unit where the name ends in one."""
    with flywheel.connect(lake) as connection:
        described = flywheel.describe(connection)
        views = connection.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        unsaid = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND length(comment) < 10"
        assert connection.sql(unsaid).fetchall() == []
    assert set(described["view"]) == {name for (name,) in views}
    assert described.filter(pl.col("meaning").is_null() | (pl.col("meaning").str.len_chars() < 5)).is_empty()
    for suffix, unit in (("_usd", "USD"), ("_ms", "ms"), ("_s", "s"), ("_at", "UTC"), ("_tokens", "tokens")):
        units = described.filter(pl.col("column").str.ends_with(suffix))["unit"]
        assert set(units) == {unit}, suffix


def test_the_interval_is_wilsons(lake):
    """The bounds computed in SQL equal scipy's for every k of n up to 40, none and all among them."""
    pairs = "FROM range(1, 41) t(n), range(0, 41) s(k) WHERE k <= n"
    with flywheel.connect(lake) as connection:
        bounds = connection.sql(f"SELECT k, n, wilson_low(k, n), wilson_high(k, n) {pairs}")
        for k, n, low, high in bounds.fetchall():
            expected = binomtest(k, n).proportion_ci(method="wilson")
            assert math.isclose(low, expected.low, abs_tol=1e-12)
            assert math.isclose(high, expected.high, abs_tol=1e-12)
        assert connection.sql("SELECT wilson_low(0, 0), wilson_high(0, 0)").fetchall() == [(None, None)]


def test_an_item_tells_its_verdict_and_where_it_is_weakest(tmp_path, frame, write):
    """`core_items` has one row per item with mean score and lowest criterion, ties broken by name."""
    item = {"batch_id": "b", "item": "i", "created_at": NOON, "verdict": "FAILED"}
    judged = {"batch_id": "b", "item": "i", "judged_at": NOON, "threshold": 0.7}
    scores = {"tone": 0.5, "clarity": 0.5, "relevance": 0.8}
    rows = [judged | {"criterion": name, "score": s, "is_passed": s >= 0.7} for name, s in scores.items()]
    write(tmp_path, {"generations": frame("generations", [item]), "judgements": frame("judgements", rows)})
    with flywheel.connect(tmp_path) as connection:
        found = connection.sql(
            "SELECT is_passed, is_unscored, mean_score, lowest_criterion, lowest_score, n_criteria "
            "FROM core_items"
        ).fetchall()
    assert found == [(False, False, pytest.approx(0.6), "clarity", 0.5, 3)]


def test_what_stopped_an_item_is_told_apart_from_what_else_it_missed(tmp_path, frame, write):
    """Of a stopped item's shortfalls the largest comes first, ties by name; items that passed have none."""
    made = {"batch_id": "b", "created_at": NOON, "judged_at": NOON}
    verdicts = {"i": "FAILED", "j": "FAILED", "k": "PASSED", "l": "UNSCORED"}
    scores = {
        "i": {"tone": (0.5, 0.7), "clarity": (0.5, 0.7), "relevance": (0.55, 0.9)},
        "j": {"tone": (0.6, 0.7), "clarity": (0.8, 0.7)},
        "k": {"tone": (0.9, 0.7)},
        "l": {"tone": (0.1, 0.7), "clarity": (None, 0.7)},
    }
    items = [made | {"item": item, "verdict": verdict} for item, verdict in verdicts.items()]
    rows = [
        made
        | {
            "item": item,
            "criterion": name,
            "score": score,
            "threshold": threshold,
            "reason": f"{item} {name}",
        }
        | {"is_passed": None if score is None else score >= threshold}
        for item, judged in scores.items()
        for name, (score, threshold) in judged.items()
    ]
    write(tmp_path, {"generations": frame("generations", items), "judgements": frame("judgements", rows)})
    with flywheel.connect(tmp_path) as connection:
        stopped = "SELECT item, criterion, score, reason, n_shortfalls FROM out_gate_failures ORDER BY item"
        assert connection.sql(stopped).fetchall() == [
            ("i", "relevance", 0.55, "i relevance", 3),
            ("j", "tone", 0.6, "j tone", 1),
        ]
        assert connection.sql("FROM out_shortfalls_by_criterion ORDER BY criterion").fetchall() == [
            ("clarity", 1, 0, 0),
            ("relevance", 1, 1, 0),
            ("tone", 2, 1, 1),
        ]
        order = "SELECT criterion FROM core_shortfalls WHERE item = 'i' ORDER BY rank"
        assert connection.sql(order).fetchall() == [("relevance",), ("clarity",), ("tone",)]


def test_a_stopped_item_is_listed_even_where_its_scores_are_missing(tmp_path, frame, write):
    """Failures are as many as failed verdicts, whatever is known of their reasons."""
    item = {"batch_id": "b", "item": "i", "created_at": NOON, "verdict": "FAILED"}
    write(tmp_path, {"generations": frame("generations", [item])})
    with flywheel.connect(tmp_path) as connection:
        found = connection.sql("SELECT item, criterion, n_shortfalls FROM out_gate_failures").fetchall()
    assert found == [("i", None, 0)]


def test_deliverables_are_counted_by_kind(lake, facts):
    """Counts and cost per kind and form are those of the facts."""
    cost = facts["deliverables"]["cost_usd"].sum()
    with flywheel.connect(lake) as connection:
        found = connection.sql("FROM out_deliverables_by_kind").fetchall()
    assert found == [("insight", "report", 9, 0, pytest.approx(cost))]


def test_unscored_is_never_counted_as_zero(tmp_path, frame, write):
    """Items a judge failed on leave rates and means alone, and items not yet judged count nowhere."""
    verdicts = ["PASSED", "PASSED", "FAILED", "UNSCORED", "UNSCORED", None]
    item = {"batch_id": "b", "stage": "insights", "created_at": NOON}
    items = [item | {"item": str(number), "verdict": verdict} for number, verdict in enumerate(verdicts)]
    judged = {"batch_id": "b", "criterion": "tone", "judged_at": NOON, "threshold": 0.7}
    scores = [(0.9, True), (0.8, True), (0.1, False), (None, None), (None, None)]
    rows = [
        judged | {"item": str(number), "score": score, "is_passed": is_passed}
        for number, (score, is_passed) in enumerate(scores)
    ]
    write(tmp_path, {"generations": frame("generations", items), "judgements": frame("judgements", rows)})
    with flywheel.connect(tmp_path) as connection:
        for view in ("out_pass_rate_by_stage", "out_pass_rate_by_criterion"):
            columns = "n_scored, n_passed, n_unscored, pass_rate, mean_score"
            found = connection.sql(f"SELECT {columns} FROM {view}").fetchall()
            assert found == [(3, 2, 2, pytest.approx(2 / 3), pytest.approx(0.6))], view


def test_with_nothing_scored_there_is_no_rate(tmp_path, frame, write):
    """Where the judge failed throughout, rate, interval and mean are null and only `n_unscored` counts."""
    item = {"batch_id": "b", "item": "i", "stage": "insights", "created_at": NOON, "verdict": "UNSCORED"}
    write(tmp_path, {"generations": frame("generations", [item])})
    with flywheel.connect(tmp_path) as connection:
        found = connection.sql("FROM out_pass_rate_by_stage").fetchall()
    assert found == [("insights", 0, 0, 1, None, None, None, None, None)]


def test_costs_add_up(lake, facts, ask):
    """Cost, tokens and calls per tenant, feature and stage equal a recomputation in polars."""
    by = ["tenant", "feature", "stage"]
    counted = ["input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens"]
    expected = (
        facts["model_calls"]
        .group_by(by)
        .agg(
            pl.len().cast(pl.Int64).alias("n_calls"),
            (pl.col("state") == "FAILED").sum().cast(pl.Int64).alias("n_failed"),
            pl.col(*counted).sum(),
            pl.col("cost_usd").sum(),
            pl.col("latency_ms").median().alias("median_latency_ms"),
            pl.col("latency_ms").quantile(0.95, "linear").alias("p95_latency_ms"),
        )
        .sort(by)
    )
    with flywheel.connect(lake) as connection:
        found = ask(connection, "FROM out_cost_by_tenant_feature_stage ORDER BY tenant, feature, stage")
    polars.testing.assert_frame_equal(found, expected)


def test_calls_carry_their_batchs_level(lake):
    """`core_calls` has one row per call, its tokens summed and its batch's level beside it."""
    with flywheel.connect(lake) as connection:
        rows = "SELECT count(*), count(DISTINCT call_id), any_value(level) FROM core_calls"
        assert connection.sql(rows).fetchall() == [(200, 200, "HIGH")]
        total = "SELECT count(*) FROM core_calls WHERE total_tokens <> input_tokens + output_tokens + 100"
        assert connection.sql(total).fetchall() == [(0,)]


def test_batches_are_counted_by_state_and_timed_when_finished(lake, facts):
    """Every batch stands in one state; durations are in seconds and of finished batches only."""
    done = facts["batches"].filter(state="DONE")
    took = (done["finished_at"] - done["created_at"]).dt.total_seconds()
    with flywheel.connect(lake) as connection:
        by_state = "SELECT state, n_batches, n_events FROM out_batches_by_state ORDER BY state"
        assert connection.sql(by_state).fetchall() == [
            ("DONE", done.height, done["size"].sum()),
            ("RUNNING", 15 - done.height, facts["batches"].filter(state="RUNNING")["size"].sum()),
        ]
        durations = "SELECT state, n_batches, median_total_s, max_total_s FROM out_batch_durations"
        found = connection.sql(durations).fetchall()
    assert found == [("DONE", done.height, took.median(), took.max())]


@pytest.mark.parametrize("folder", ["tenant=evil", "day=1999-01-01", "it's", "[a]*?", "späť"])
def test_the_path_of_a_lake_is_no_part_of_its_data(tmp_path, frame, write, folder):
    """A lake may stand in any folder: quotes, patterns and `column=value` names change no value."""
    root = tmp_path / folder / "lake"
    write(root, {"batches": frame("batches", [{"tenant": "acme", "created_at": NOON}])})
    with flywheel.connect(root) as connection:
        found = connection.sql("SELECT tenant, day FROM raw_batches").fetchall()
    assert found == [("acme", date(2024, 5, 1))]


def test_a_question_about_a_day_opens_only_that_days_files(lake):
    """A condition on `day` prunes files, so that a long history costs nothing to who asks about today."""
    with flywheel.connect(lake) as connection:
        question = "EXPLAIN ANALYZE SELECT sum(cost_usd) FROM raw_model_calls WHERE day = DATE '2024-05-02'"
        plan = connection.sql(question).fetchall()[0][1]
    assert "Total Files Read: 1 " in plan


def test_a_file_of_another_schema_is_named(lake):
    """A lake from before a column was added says which table, which column and what to do."""
    part = lake / "batches" / "day=2024-05-01" / "part.parquet"
    pl.read_parquet(part).drop("tokens").write_parquet(part.resolve())
    with pytest.raises(LakeSchemaError, match=r"(?s)table batches: .*tokens.* again from the ledger"):
        flywheel.connect(lake)


def test_days_of_a_view_do_not_follow_the_analysts_clock(lake):
    """Times are shown in UTC wherever the analyst sits."""
    with flywheel.connect(lake) as connection:
        assert connection.sql("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_nothing_is_downloaded_behind_the_analysts_back(lake):
    """DuckDB neither installs nor loads extensions by itself; its wheel carries what every view needs."""
    with flywheel.connect(lake) as connection:
        settings = "SELECT value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions'"
        assert connection.sql(settings).fetchall() == [("false",), ("false",)]
        with pytest.raises(duckdb.Error):
            connection.execute("FROM sqlite_scan('x.db', 'x')")


NOON = pl.Series(["2024-05-01T12:00:00Z"]).str.to_datetime(time_unit="us", time_zone="UTC")[0]
