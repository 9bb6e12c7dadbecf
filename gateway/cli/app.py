"""The commands of `penstock`, with their options. What each does is in the module it calls."""

from typing import Annotated

import typer

app = typer.Typer(
    name="penstock",
    help="Events in, judged deliverables out: batches events by priority, tenant and user, runs them through "
    "model calls, and lets nothing leave unjudged.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dlq = typer.Typer(help="Dead letters: what could not be processed, and why.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Run the main job over the sample events and show what came of it."""
    from gateway.cli.demo import run_demo

    run_demo(as_json=as_json)


@app.command()
def up() -> None:
    """Run everything until Ctrl-C: Prefect server, offline model if no key is set, and the worker."""
    from gateway.cli.services import run_up

    run_up()


@app.command()
def down(as_json: AsJson = False) -> None:
    """Stop the services that earlier commands left running."""
    from gateway.cli.services import run_down

    run_down(as_json=as_json)


@app.command()
def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(help="Files (NDJSON, JSON, CSV, Parquet), folders, or - for standard input."),
    ],
    as_json: AsJson = False,
) -> None:
    """Take events in. Duplicates are counted, bad lines are kept as rejections, nothing stops the rest."""
    from gateway.cli.work import run_ingest

    run_ingest(paths, as_json=as_json)


@app.command()
def run(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Repeat until no batch is ready, instead of one round.")
    ] = False,
    flush: Annotated[
        bool, typer.Option("--flush", help="Close every open batch now, whatever its age and size.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Form the batches that are due and process what is ready."""
    from gateway.cli.work import run_work

    run_work(until_idle=until_idle, flush=flush, as_json=as_json)


@app.command()
def status(
    batch: Annotated[str | None, typer.Argument(help="A batch's id or its beginning.")] = None,
    as_json: AsJson = False,
) -> None:
    """What has come in, where the batches stand, what went out; or all about one batch."""
    from gateway.cli.inspect import show_batch, show_status

    if batch is None:
        show_status(as_json=as_json)
    else:
        show_batch(batch, as_json=as_json)


@app.command()
def show(
    deliverable: Annotated[str, typer.Argument(help="A deliverable's id or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """Read a deliverable, with its scores and where it comes from."""
    from gateway.cli.inspect import show_deliverable

    show_deliverable(deliverable, as_json=as_json)


@app.command()
def costs(as_json: AsJson = False) -> None:
    """What the model calls cost, by tenant, feature, stage and model."""
    from gateway.cli.inspect import show_costs

    show_costs(as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check settings, database, Prefect, model and limits; say what to do about what is wrong."""
    from gateway.cli.doctor import run_doctor

    run_doctor(as_json=as_json)


@dlq.command("list")
def dlq_list(as_json: AsJson = False) -> None:
    """The dead letters, newest first."""
    from gateway.cli.inspect import list_dead_letters

    list_dead_letters(as_json=as_json)


@dlq.command("show")
def dlq_show(
    letter: Annotated[str, typer.Argument(help="A dead letter's id or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """One dead letter: what happened, where, what it cost, what to do."""
    from gateway.cli.inspect import show_dead_letter

    show_dead_letter(letter, as_json=as_json)
