"""What came out, and how long it took: the page's sections about batches and deliverables."""

from typing import Final

from flywheel.page import figures, plots
from flywheel.page.tables import Ask, Column, Row, Section, Table, bar, name, number, table

_LEVELS: Final = "list_position(['HIGH', 'MEDIUM', 'LOW'], level)"
_WHICH: Final = (name("Scope", "scope"), name("Level", "level"), name("Pipeline", "pipeline"))
_STATES: Final = "SELECT state FROM out_batches_by_state GROUP BY state ORDER BY sum(n_batches) DESC, state"
_BATCHES: Final = f"""
SELECT scope, level, pipeline, sum(n_batches) AS n_batches, sum(n_events) AS n_events,
    list(state) AS states, list(n_batches) AS n_by_state
FROM out_batches_by_state
GROUP BY scope, level, pipeline
ORDER BY scope, {_LEVELS}, pipeline
"""


def came_out(ask: Ask) -> Section:
    """Batches by where they stand, deliverables by kind."""
    return Section(
        "output",
        "What came out",
        "A batch is the unit of work: events of one tenant, or of one user of it, at one level of urgency. An "
        "event may be in several batches, of its tenant and of its user, and is counted in each.",
        (_batches(ask), _deliverables(ask)),
    )


def durations(ask: Ask) -> Section:
    """How long finished batches waited and ran."""
    rows = ask(f"FROM out_batch_durations ORDER BY scope, {_LEVELS}, pipeline, state")
    title = "median to 95th percentile of the time in all"
    scale = plots.axis(title, [row["p95_total_s"] for row in rows], plots.SECONDS)

    def spread(row: Row) -> plots.Mark | None:
        middle, most = row["median_total_s"], row["p95_total_s"]
        said = f"median {figures.seconds(middle).text}, 95th percentile {figures.seconds(most).text}"
        return plots.dot(middle, middle, most, scale, said)

    columns = (
        *_WHICH,
        name("Ended", "state"),
        number("Batches", "n_batches", figures.count),
        number("Median wait", "median_wait_s", figures.seconds),
        number("Median run", "median_run_s", figures.seconds),
        number("Median in all", "median_total_s", figures.seconds),
        Column("", spread, "plot"),
        number("95 % within", "p95_total_s", figures.seconds),
        number("Longest", "max_total_s", figures.seconds),
    )
    return Section(
        "durations",
        "Durations of batches",
        "A batch waits from its closing until work on it begins, then runs to its end, pauses included.",
        (table("Finished batches", rows, columns, empty="No batch has finished yet.", axis=scale),),
    )


def _batches(ask: Ask) -> Table:
    """A row per scope, level and pipeline, a column per state that occurs, the commonest first."""
    states, rows = ask(_STATES), ask(_BATCHES)
    scale = plots.axis("batches", [row["n_batches"] for row in rows])
    columns = (
        *_WHICH,
        *(_state(row["state"]) for row in states),
        number("All", "n_batches", figures.count),
        bar("n_batches", scale, figures.count),
        number("Events", "n_events", figures.count),
    )
    return table("Batches", rows, columns, empty="No batch has been formed yet.", axis=scale)


def _state(state: str | None) -> Column:
    """How many of a row's batches are in the state."""

    def cell(row: Row) -> figures.Figure:
        return figures.count(dict(zip(row["states"], row["n_by_state"], strict=True)).get(state, 0))

    return Column(figures.words(state).text, cell)


def _deliverables(ask: Ask) -> Table:
    rows = ask("FROM out_deliverables_by_kind ORDER BY kind, form")
    scale = plots.axis("deliverables", [row["n_deliverables"] for row in rows])
    columns = (
        name("Kind", "kind"),
        name("Form", "form"),
        number("Deliverables", "n_deliverables", figures.count),
        bar("n_deliverables", scale, figures.count),
        number("From batches", "n_batches", figures.count),
        number("Cost", "cost_usd", figures.usd),
    )
    return table("Deliverables", rows, columns, empty="Nothing has been delivered yet.", axis=scale)
