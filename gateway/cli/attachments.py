"""`penstock attachments`: files that come with events, taken in and looked at."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ledger.attachment_reads import AttachmentStatus

attachments = typer.Typer(
    help="Files that come with events: take, list, show.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]


@attachments.command("take")
def take(
    queues: Annotated[list[str], typer.Argument(help="Addresses of SQS queues that tell of new objects.")],
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="End when the queues are empty, instead of at Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in the files that SQS queues tell of.

    Each is checked, made small, marked and read; what it says goes to its event. What is not taken is a dead letter
    of the stage `attachments`. A message leaves its queue when its file is on record.
    """
    from gateway.cli.consume import run_take_attachments

    run_take_attachments(queues, until_empty=until_empty, as_json=as_json)


@attachments.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option(help="Only those of this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the attachments, newest first."""
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import SHORT_ID, local, out, print_json, print_table
    from ledger.attachment_reads import list_attachments
    from tasks.settings import load_settings

    with ledger_of(load_settings()) as ledger:
        found = list_attachments(ledger, tenant)
    if as_json:
        print_json([_plain(one) for one in found])
        return
    if not found:
        out.print("No attachments.")
        return
    rows = [
        (one.attachment.id[:SHORT_ID], local(one.at), one.attachment.tenant, one.state, _what(one))
        for one in found
    ]
    print_table("Attachments", ("attachment", "when", "tenant", "state", "what it is"), rows)


@attachments.command("show")
def show(
    attachment: Annotated[str, typer.Argument(help="An attachment's id or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """Show one attachment: whose it is, what is in it, what was made of it."""
    from gateway.cli.errors import NotFoundError
    from gateway.cli.ledger import ledger_of
    from gateway.cli.output import local, out, print_json, print_pairs, printable
    from ledger.attachment_reads import read_attachment
    from tasks.settings import load_settings

    with ledger_of(load_settings()) as ledger:
        found = read_attachment(ledger, attachment)
    if found is None:
        raise NotFoundError(
            f"no attachment has the id '{attachment}'; `penstock attachments list` shows them"
        )
    if as_json:
        print_json(_plain(found))
        return
    print_pairs(f"Attachment {found.attachment.id}", _pairs(found) | {"Since": local(found.at)})
    if found.attachment.findings is not None and found.attachment.findings.text:
        out.print(f"\n{printable(found.attachment.findings.text)}", markup=False)


def _pairs(found: "AttachmentStatus") -> dict[str, str]:
    """Whose it is, what is in it, what was made of it."""
    one, made = found.attachment, found.attachment.findings
    pairs = {
        "File": one.name,
        "At": one.address,
        "Tenant": one.tenant,
        "Event": f"{one.event} from {one.source}",
        "State": found.state if found.reason is None else f"{found.state}: {found.reason}",
    }
    if made is not None:
        details = ", ".join(f"{name.replace('_', ' ')} {said}" for name, said in made.details.items())
        pairs |= {"Type": f"{made.media_type}, {made.size:,} bytes", "Details": details or "none"}
        pairs |= {"SHA-256": made.sha256, "Thumbnail": made.thumbnail, "Marked": made.marked}
    return pairs


def _plain(one: "AttachmentStatus") -> dict[str, object]:
    told = one.attachment.model_dump(mode="json")
    return told | {"state": one.state, "reason": one.reason, "at": one.at.isoformat()}


def _what(one: "AttachmentStatus") -> str:
    made = one.attachment.findings
    return one.reason or (f"{made.media_type}, {made.size:,} bytes" if made else "to be worked on again")
