"""`targets`: who else gets deliverables, and where."""

import secrets
from dataclasses import asdict
from typing import Annotated, Final

import typer

targets = typer.Typer(
    help="Where deliverables go besides the folder: add, list, end.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]
ID_BYTES: Final = 6


@targets.command("add")
def add(
    target: Annotated[
        str,
        typer.Argument(
            help="https://..., an SNS topic's ARN, an SQS queue's address, s3://..., or block:NAME."
        ),
    ],
    tenant: Annotated[str | None, typer.Option(help="Of this tenant alone; of all without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send what is committed from now on there, too. A webhook's secret is shown this once."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import out, print_json, print_pairs
    from ledger.subscriptions import Subscription, make_subscription
    from tasks.channels.kinds import kind_of
    from tasks.runtime import utc_now
    from tasks.settings import load_settings
    from tasks.signing import new_signing_secret

    settings = load_settings()
    kind = kind_of(target, settings.webhook_networks)
    secret = new_signing_secret() if kind == "webhook" else None
    made = Subscription(secrets.token_hex(ID_BYTES), tenant, kind, target, secret, utc_now(), None)
    with ledger_of(settings) as ledger:
        make_subscription(ledger, made)
    shown = {"id": made.id, "tenant": tenant or "all", "kind": kind, "target": target}
    shown |= {"secret": secret} if secret else {}
    if as_json:
        print_json(shown)
        return
    print_pairs("Subscribed", shown)
    if secret:
        out.print("\nThe receiver checks the signature with this secret, as standardwebhooks.com describes.")


@targets.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the subscriptions, without their secrets."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import day, print_json, print_table
    from ledger.subscriptions import list_subscriptions
    from tasks.settings import load_settings

    with ledger_of(load_settings()) as ledger:
        found = list_subscriptions(ledger)
    if as_json:
        print_json([{name: said for name, said in asdict(one).items() if name != "secret"} for one in found])
        return
    rows = [
        (one.id, one.tenant or "all", one.kind, one.target, day(one.made_at), day(one.ended_at))
        for one in found
    ]
    print_table("Subscriptions", ("id", "tenant", "kind", "target", "made", "ended"), rows)


@targets.command("end")
def end(
    subscription: Annotated[str, typer.Argument(help="Its id, as the list shows it.")],
    as_json: AsJson = False,
) -> None:
    """Send nothing there any more, not what waits either."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import out, print_json
    from ledger.subscriptions import end_subscription
    from tasks.runtime import utc_now
    from tasks.settings import load_settings

    with ledger_of(load_settings()) as ledger:
        ended = end_subscription(ledger, subscription, utc_now())
    if as_json:
        print_json({"id": ended.id, "target": ended.target, "ended_at": ended.ended_at})
    else:
        out.print(f"nothing is sent to {ended.target} any more", markup=False)
