"""The commands of `penstock`, with their options. What each does is in the module it calls."""

from typing import Annotated

import typer

from gateway.cli.attachments import attachments
from gateway.cli.dlq import dlq
from gateway.cli.keys import keys
from gateway.cli.review import review
from gateway.cli.route import route
from gateway.cli.targets import targets

app = typer.Typer(
    name="penstock",
    help="Events in, judged deliverables out: batches events by priority, tenant and user, runs them through "
    "model calls, and lets nothing leave unjudged.",
    epilog="Exit codes: 0 done; 1 done, but something needs attention; 2 wrong use or settings; 3 a service, the "
    "database, a disk or the model is out of reach; 70 a fault of Penstock's own, with a log; 130 stopped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # loading what draws boxes around the help takes longer than all the rest
)
app.add_typer(attachments, name="attachments")
app.add_typer(dlq, name="dlq")
app.add_typer(keys, name="keys")
app.add_typer(review, name="review")
app.add_typer(route, name="route")
app.add_typer(targets, name="targets")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Run the main job over the sample events.

    Starts what it needs, takes the sample events in, makes and judges deliverables, and shows what came of
    it and where to look. Run again, it does and pays for nothing twice.
    """
    from gateway.cli.demo import run_demo

    run_demo(as_json=as_json)


@app.command()
def up(as_json: AsJson = False) -> None:
    """Run everything until Ctrl-C, and work off what comes in.

    That is the Prefect server, the offline model if no key is set, and the worker. Prints their addresses.
    """
    from gateway.cli.services import run_up

    run_up(as_json=as_json)


@app.command()
def down(as_json: AsJson = False) -> None:
    """Stop the services that earlier commands left running."""
    from gateway.cli.services import run_down

    run_down(as_json=as_json)


@app.command()
def deploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a Prefect server show Penstock: pool, deployments.

    With queues, triggers, limits and alerts. Shows what differs first, and asks. Of limits only what is missing is
    made: how many requests there may be is yours to say, in the UI.
    """
    from gateway.cli.deploy import run_deploy

    run_deploy(dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(help="Files (NDJSON, JSON, CSV, Parquet), folders, or - for standard input."),
    ],
    as_json: AsJson = False,
) -> None:
    """Take events in from files, folders or standard input.

    Duplicates are counted, bad lines are kept as rejections, and nothing stops the rest.
    """
    from gateway.cli.intake import run_ingest

    run_ingest(paths, as_json=as_json)


@app.command()
def consume(
    queues: Annotated[list[str], typer.Argument(help="Addresses of SQS queues.")],
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="End when the queues are empty, instead of at Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take events in from SQS queues.

    A message leaves its queue when what it carries is in the ledger. AWS is reached by the block that
    PENSTOCK_AWS_BLOCK names, or as every AWS tool on this machine does.
    """
    from gateway.cli.consume import run_consume

    run_consume(queues, until_empty=until_empty, as_json=as_json)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 for everybody.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8080,
    as_json: AsJson = False,
) -> None:
    """Serve the HTTP gateway until Ctrl-C.

    Takes events in at /v1/events and tells what became of them. Every request needs a key; `penstock keys make`
    makes one. /docs describes all of it.
    """
    from gateway.cli.serve import run_serve

    run_serve(host, port, as_json=as_json)


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
    """Form the batches that are due and process what is ready.

    Exit code 1 when a batch could not be processed; `penstock dlq list` says why.
    """
    from gateway.cli.work import run_work

    run_work(until_idle=until_idle, flush=flush, as_json=as_json)


Tenant = Annotated[str | None, typer.Option(help="Of this tenant alone.")]


@app.command()
def pause(
    stage: Annotated[str, typer.Argument(help="A stage, `delivery`, or `all`.")],
    tenant: Tenant = None,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever finds it paused.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pause a stage, delivery or everything, in every process.

    Calls under way finish and are kept; what has to wait goes on by itself after `penstock resume`.
    """
    from gateway.cli.switches import run_pause

    run_pause(stage, tenant, reason, as_json=as_json)


@app.command()
def resume(
    stage: Annotated[str, typer.Argument(help="What was paused.")],
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Let go on what `penstock pause` stopped."""
    from gateway.cli.switches import run_resume

    run_resume(stage, tenant, as_json=as_json)


@app.command()
def status(
    batch: Annotated[str | None, typer.Argument(help="A batch's id or its beginning.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Queues and stages live, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where everything stands, or all about one batch."""
    if watch:
        from gateway.cli.watch import watch_status

        if batch is not None:
            raise typer.BadParameter("--watch shows everything; leave the batch out")
        watch_status(as_json=as_json)
    elif batch is None:
        from gateway.cli.inspect import show_status

        show_status(as_json=as_json)
    else:
        from gateway.cli.details import show_batch

        show_batch(batch, as_json=as_json)


@app.command()
def show(
    deliverable: Annotated[str, typer.Argument(help="A deliverable's id or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """Print a deliverable, its scores and its origin."""
    from gateway.cli.details import show_deliverable

    show_deliverable(deliverable, as_json=as_json)


@app.command()
def costs(as_json: AsJson = False) -> None:
    """Show what the model calls cost, and for whom and what."""
    from gateway.cli.inspect import show_costs

    show_costs(as_json=as_json)


@app.command()
def report(as_json: AsJson = False) -> None:
    """Write the report page anew and print where it is.

    It shows the lake as the last run left it; nothing is worked on.
    """
    from gateway.cli.report import print_report

    print_report(as_json=as_json)


@app.command()
def erase(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose user it is.")],
    user: Annotated[str, typer.Option("--user", help="The user, as the events name them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a person everywhere, and say what that was.

    Their events and all that was made of them go: from the ledger, the files, Prefect's artifacts and the lake.
    Counts, costs and scores stay, and are nobody's. Asks first.
    """
    from gateway.cli.erase import run_erase

    run_erase(tenant, user, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything a run needs, and say what to do.

    Settings, mapping, prices, database, Prefect server, limits and model. Exit code 1 when one is wrong.
    """
    from gateway.cli.doctor import run_doctor

    run_doctor(as_json=as_json)
