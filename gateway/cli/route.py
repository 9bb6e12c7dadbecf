"""The commands of `penstock route`, with their options."""

from typing import Annotated

import typer

route = typer.Typer(help="What becomes of events by the routes file.", no_args_is_help=True)


@route.callback()
def about() -> None:
    """Ask what the routes say."""


@route.command("test")
def explain(
    event: Annotated[str, typer.Argument(help="A file with one event or message, or - for standard input.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")
    ] = False,
) -> None:
    """Explain which route decides about an event, and what the event would be.

    Envelopes are opened, as in a queue. Nothing is taken in.
    """
    from gateway.cli.route_test import run_route_test

    run_route_test(event, as_json=as_json)
