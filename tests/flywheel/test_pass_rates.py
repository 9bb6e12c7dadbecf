from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import polars.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flywheel
from flywheel import write_day
from flywheel.tables import TABLES

START = datetime(2024, 5, 1, tzinfo=UTC)
CRITERIA = ("clarity", "tone")
MEASURES = ["n_scored", "n_passed", "n_unscored", "pass_rate", "mean_score", "std_score"]

score = st.none() | st.integers(0, 20).map(lambda step: step / 20)
item = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(["insights", "notices"]),
        "tenant": st.sampled_from(["acme", "globex", "it's"]),
        "prompt": st.sampled_from(["insights", "notices"]),
        "prompt_version": st.sampled_from(["v1", "v2"]),
        "model": st.sampled_from(["m", "n"]),
        "day": st.integers(0, 2),
        "is_judged": st.booleans(),
        "scores": st.tuples(score, score),
    }
)


def verdict(drawn):
    """PASSED, FAILED, UNSCORED or None, from what was drawn."""
    if not drawn["is_judged"]:
        return None
    if None in drawn["scores"]:
        return "UNSCORED"
    return "PASSED" if min(drawn["scores"]) >= 0.7 else "FAILED"


def generations(items):
    """One row per drawn item."""
    return pl.DataFrame(
        [
            {**dict.fromkeys(TABLES["generations"].polars_schema), "batch_id": "b", "item": str(number)}
            | {name: drawn[name] for name in ("stage", "tenant", "prompt", "prompt_version", "model")}
            | {"created_at": START + timedelta(days=drawn["day"]), "verdict": verdict(drawn)}
            for number, drawn in enumerate(items)
        ],
        schema=TABLES["generations"].polars_schema,
    )


def judgements(items):
    """One row per judged item and criterion; an item with a missing score has none at all."""
    rows = []
    for number, drawn in enumerate(items):
        scores = drawn["scores"] if verdict(drawn) != "UNSCORED" else (None, None)
        rows += [
            {**dict.fromkeys(TABLES["judgements"].polars_schema), "batch_id": "b", "item": str(number)}
            | {"criterion": name, "score": score, "threshold": 0.7, "judged_at": START}
            | {"is_passed": None if score is None else score >= 0.7}
            for name, score in zip(CRITERIA, scores, strict=True)
            if drawn["is_judged"]
        ]
    return pl.DataFrame(rows, schema=TABLES["judgements"].polars_schema)


def measured(rows, by):
    """The measures of rows with `is_passed`, `is_unscored` and `score`, recomputed in polars."""
    scored = pl.col("is_passed").is_not_null()
    return (
        rows.group_by(by)
        .agg(
            scored.sum().cast(pl.Int64).alias("n_scored"),
            pl.col("is_passed").sum().cast(pl.Int64).alias("n_passed"),
            pl.col("is_unscored").sum().cast(pl.Int64).alias("n_unscored"),
            pl.col("is_passed").mean().alias("pass_rate"),
            pl.col("score").filter(scored).mean().alias("mean_score"),
            pl.col("score").filter(scored).std().alias("std_score"),
        )
        .sort(by)
    )


# `ask` is a function without state.
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(item, max_size=25))
def test_every_pass_rate_equals_a_recomputation(ask, items):
    """Whatever was generated and judged, each view's counts, rate, mean and deviation are polars' own."""
    made, judged = generations(items), judgements(items)
    means = judged.group_by("item").agg(pl.col("score").mean())
    rows = made.join(means, on="item", how="left").with_columns(
        day=pl.col("created_at").dt.date(),
        is_passed=pl.when(pl.col("verdict").is_in(["PASSED", "FAILED"])).then(pl.col("verdict") == "PASSED"),
        is_unscored=pl.col("verdict").eq_missing("UNSCORED"),
    )
    with TemporaryDirectory() as folder:
        for (day,), part in made.group_by(pl.col("created_at").dt.date()):
            write_day(Path(folder), "generations", day, part)
        write_day(Path(folder), "judgements", START.date(), judged)
        with flywheel.connect(folder) as connection:
            for name in ("stage", "tenant", "prompt_version", "model", "day"):
                by = ["prompt", "prompt_version"] if name == "prompt_version" else [name]
                check(ask, connection, name, by, measured(rows, by))
            scores = judged.with_columns(is_unscored=pl.col("score").is_null())
            check(ask, connection, "criterion", ["criterion"], measured(scores, ["criterion"]))


def check(ask, connection, name, by, expected):
    """The view's measures are the expected ones, to rounding."""
    columns = ", ".join([*by, *MEASURES])
    found = ask(connection, f"SELECT {columns} FROM out_pass_rate_by_{name} ORDER BY ALL")
    polars.testing.assert_frame_equal(found, expected, abs_tol=1e-7)
