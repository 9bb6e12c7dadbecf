"""`keys`: tenants' API keys, made, listed and revoked."""

import secrets
from dataclasses import asdict
from typing import Annotated, Final

import typer

keys = typer.Typer(
    help="API keys of the HTTP gateway: make, list, revoke.", no_args_is_help=True, rich_markup_mode=None
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]
SECRET_BYTES: Final = 32
ID_BYTES: Final = 6


@keys.command("make")
def make(
    tenant: Annotated[str, typer.Option(help="Whose events it may send, and whose results it may read.")],
    name: Annotated[str, typer.Option(help="What it is for, for whoever finds it in the list.")] = "",
    signs: Annotated[
        bool,
        typer.Option("--signs", help="What it sends has to be signed, as standardwebhooks.com describes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key of a tenant, and show it this once."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import out, print_json, print_pairs
    from ledger.api_keys import make_key
    from tasks.runtime import utc_now
    from tasks.settings import load_settings
    from tasks.signing import new_signing_secret

    key_id = secrets.token_hex(ID_BYTES)
    signing = new_signing_secret() if signs else None
    with ledger_of(load_settings()) as ledger:
        token = make_key(
            ledger,
            key_id=key_id,
            secret=secrets.token_urlsafe(SECRET_BYTES),
            tenant=tenant,
            name=name,
            now=utc_now(),
            signing_secret=signing,
        )
    made = {"id": key_id, "tenant": tenant, "key": token} | ({"signing_secret": signing} if signing else {})
    if as_json:
        print_json(made)
        return
    print_pairs("Made", made)
    out.print("\nKeep it now: only its hash is kept here. Send it as `Authorization: Bearer ...`.")


@keys.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the keys, without what opens anything."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import day, print_json, print_table
    from ledger.api_keys import list_keys
    from tasks.settings import load_settings

    with ledger_of(load_settings()) as ledger:
        found = list_keys(ledger)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        (
            one.id,
            one.tenant,
            one.name or "-",
            "yes" if one.signs else "no",
            day(one.made_at),
            day(one.revoked_at),
        )
        for one in found
    ]
    print_table("Keys", ("id", "tenant", "for", "signs", "made", "revoked"), rows)


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as the list shows it.")], as_json: AsJson = False
) -> None:
    """Let nobody in by a key any more. Gateways that run hear of it within five seconds."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import out, print_json
    from ledger.api_keys import revoke_key
    from tasks.runtime import utc_now
    from tasks.settings import load_settings

    with ledger_of(load_settings()) as ledger:
        revoked = revoke_key(ledger, key, utc_now())
    if as_json:
        print_json(asdict(revoked))
    else:
        out.print(f"the key {revoked.id} of {revoked.tenant} opens nothing any more", markup=False)
