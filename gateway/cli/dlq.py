"""`penstock dlq`: the commands on dead letters, with their options."""

from typing import Annotated

import typer

dlq = typer.Typer(
    help="Dead letters: look, replay, purge, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]
Stage = Annotated[str | None, typer.Option(help="Only those of this stage; `delivery` is one.")]
Error = Annotated[str | None, typer.Option(help="Only those of this kind of error, such as RateLimitError.")]
Tenant = Annotated[str | None, typer.Option(help="Only those of this tenant.")]
OlderThan = Annotated[str | None, typer.Option(help="Only those at least this old: 90s, 15m, 6h, 7d.")]
NewerThan = Annotated[str | None, typer.Option(help="Only those younger than this: 90s, 15m, 6h, 7d.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Letters = Annotated[list[str] | None, typer.Argument(help="Their ids or the beginnings of these.")]


@dlq.command("list")
def dlq_list(
    stage: Stage = None,
    error: Error = None,
    tenant: Tenant = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, newest first."""
    from gateway.cli.letters import filtered, list_dead_letters

    list_dead_letters(filtered(stage, error, tenant, older_than, newer_than), as_json=as_json)


@dlq.command("show")
def dlq_show(
    letter: Annotated[str, typer.Argument(help="A dead letter's id or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: what happened, where, what to do."""
    from gateway.cli.letters import show_dead_letter

    show_dead_letter(letter, as_json=as_json)


@dlq.command("replay")
def dlq_replay(  # noqa: PLR0913, PLR0917 - the options of one command
    letters: Letters = None,
    stage: Stage = None,
    error: Error = None,
    tenant: Tenant = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    rate: Annotated[float, typer.Option(min=0.01, help="How many a minute at most.")] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be replayed.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to work, after showing which and asking.

    What was paid for is not paid again. Broken off, the command goes on where it stopped; a letter is replayed
    once. `penstock up` or `penstock run` works off what was replayed.
    """
    from gateway.cli.letters import filtered
    from gateway.cli.replay import run_replay

    only = filtered(stage, error, tenant, older_than, newer_than)
    run_replay(letters or [], only, per_minute=rate, dry_run=dry_run, yes=yes, as_json=as_json)


@dlq.command("purge")
def dlq_purge(
    letters: Letters = None,
    stage: Stage = None,
    error: Error = None,
    tenant: Tenant = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good, after showing which and asking. Their batches stay dead."""
    from gateway.cli.letters import filtered
    from gateway.cli.replay import run_purge

    run_purge(letters or [], filtered(stage, error, tenant, older_than, newer_than), yes=yes, as_json=as_json)


@dlq.command("export")
def dlq_export(
    path: Annotated[str, typer.Argument(help="The file to write, or - for standard output.")],
    stage: Stage = None,
    error: Error = None,
    tenant: Tenant = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
) -> None:
    """Write dead letters with all they hold, one JSON object a line, oldest first."""
    from gateway.cli.letters import export_dead_letters, filtered

    export_dead_letters(path, filtered(stage, error, tenant, older_than, newer_than))
