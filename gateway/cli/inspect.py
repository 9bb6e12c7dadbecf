"""`status`, `show`, `costs`, `dlq`: reading the ledger, for people and for programs."""

from textwrap import shorten
from typing import Any

from rich.markdown import Markdown

from contracts.errors import OperatorError
from gateway.cli.output import out, print_json, print_pairs, print_table, usd
from gateway.cli.session import ledger_of
from gateway.cli.work import print_summary
from ledger.batches import batch_diagnosis, batch_history, list_batches, read_batch
from ledger.costs import costs
from ledger.dead_letters import list_letters, read_letter
from ledger.deliveries import list_deliverables, read_deliverable
from ledger.engine import Ledger
from ledger.intake import read_rejections
from ledger.status import collecting, status
from ledger.work import read_items
from tasks.diagnosis.markdown import to_markdown
from tasks.diagnosis.report import Diagnosis
from tasks.settings import load_settings

LATEST = 15
MANY = 1_000


class NotFoundError(OperatorError):
    """Nothing has the id that was given; a wrong use of the command, hence its exit code."""


def show_status(*, as_json: bool) -> None:
    """The whole installation in one view."""
    with ledger_of(load_settings()) as ledger:
        now = status(ledger)
        if as_json:
            print_json(now)
            return
        print_summary("Status", now)
        out.print(f"{collecting(ledger):,} events are collecting for a batch.")
        latest = list_batches(ledger, LATEST)
        rejected = read_rejections(ledger, 5)
    if latest:
        batches = [
            (one.id[:14], str(one.state), one.label.rsplit(" / ", 1)[0], one.size, one.reason)
            for one in latest
        ]
        print_table(
            f"Latest {len(batches)} batches", ("batch", "state", "whose", "events", "reason"), batches
        )
    if rejected:
        lines = [(one.origin, one.line, one.reason) for one in rejected]
        print_table("Latest rejections", ("from", "line", "reason"), lines)


def show_batch(batch_id: str, *, as_json: bool) -> None:
    """One batch: where it stands, how it got there, what was made, and why it failed."""
    with ledger_of(load_settings()) as ledger:
        found = _batch_details(ledger, batch_id)
    if as_json:
        print_json(found)
        return
    batch = found["batch"]
    print_pairs(f"Batch {batch['id']}", {key: value for key, value in batch.items() if value is not None})
    print_table(
        "History", ("at", "from", "to", "reason"), [tuple(step.values()) for step in found["history"]]
    )
    rows = [
        (
            item["item"],
            item["verdict"] or "not judged",
            ", ".join(f"{k} {v:.2f}" for k, v in item["scores"].items()),
        )
        for item in found["items"]
    ]
    print_table("Items", ("item", "verdict", "scores"), rows)
    if found["deliverables"]:
        made = [(one["id"], one["kind"], one["form"], one["title"]) for one in found["deliverables"]]
        print_table("Deliverables", ("id", "kind", "form", "title"), made)
    if found["diagnosis"]:
        out.print(Markdown(to_markdown(Diagnosis.model_validate(found["diagnosis"]))))


def _batch_details(ledger: Ledger, batch_id: str) -> dict[str, Any]:
    batch = read_batch(ledger, batch_id)
    if batch is None:
        raise NotFoundError(f"no batch has the id '{batch_id}'; `penstock status` lists the latest")
    return {
        "batch": batch.model_dump(mode="json"),
        "history": [
            {"at": step.at, "from": step.from_state, "to": step.to_state, "reason": step.reason}
            for step in batch_history(ledger, batch.id)
        ],
        "items": [
            {
                "item": item.item,
                "kind": item.kind,
                "form": item.form,
                "verdict": item.verdict,
                "scores": item.scores,
            }
            for item in read_items(ledger, batch.id)
        ],
        "deliverables": [
            one.model_dump(mode="json", include={"id", "kind", "form", "title"})
            for one in list_deliverables(ledger, batch.id, MANY)
        ],
        "diagnosis": batch_diagnosis(ledger, batch.id),
    }


def show_deliverable(deliverable_id: str, *, as_json: bool) -> None:
    """A deliverable as its reader gets it, then where it comes from."""
    with ledger_of(load_settings()) as ledger:
        found = read_deliverable(ledger, deliverable_id)
    if found is None:
        raise NotFoundError(
            f"no deliverable has the id '{deliverable_id}'; `penstock status BATCH` lists a batch's"
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out.print(Markdown(found.markdown))
    source = found.provenance
    print_pairs(
        "Where it comes from",
        {
            "For": found.tenant if found.user is None else f"{found.tenant} / {found.user}",
            "Batch": found.batch,
            "Events": f"{len(source.events)}: {shorten(', '.join(source.events), 100, placeholder=' ...')}",
            "Prompt": f"{source.prompt} {source.prompt_version}",
            "Written by": source.model,
            "Judged by": f"{source.judge_model}, rubric {source.rubric_version}",
            "Scores": ", ".join(f"{name} {score:.2f}" for name, score in found.scores.items()),
            "Cost": usd(source.cost_usd),
        },
    )


def show_costs(*, as_json: bool) -> None:
    """Spend by tenant, feature, stage and model, and in all."""
    with ledger_of(load_settings()) as ledger:
        rows = [dict(row) for row in costs(ledger)]
    total = {
        "calls": sum(row["calls"] for row in rows),
        "input_tokens": sum(row["input_tokens"] for row in rows),
        "output_tokens": sum(row["output_tokens"] for row in rows),
        "cost_usd": float(sum(row["cost_usd"] for row in rows)),
    }
    if as_json:
        print_json({"rows": rows, "total": total})
        return
    columns = ("tenant", "feature", "stage", "purpose", "model", "calls", "input_tokens", "output_tokens")
    shown = [(*(row[name] for name in columns), usd(float(row["cost_usd"]))) for row in rows]
    print_table("Model calls", (*columns, "cost"), shown)
    out.print(
        f"In all: {total['calls']:,} calls, {total['input_tokens']:,} tokens in, "
        f"{total['output_tokens']:,} out, {usd(total['cost_usd'])}"
    )


def list_dead_letters(*, as_json: bool) -> None:
    """The dead letters, newest first."""
    with ledger_of(load_settings()) as ledger:
        letters = list_letters(ledger, MANY)
    if as_json:
        names = ("id", "stage", "tenant", "error", "attempts", "at", "batch", "message")
        print_json([{name: getattr(one, name) for name in names} for one in letters])
    elif letters:
        shown = [
            (one.id, one.at.isoformat(" ", "seconds"), one.tenant, one.stage, one.error, one.message)
            for one in letters
        ]
        print_table("Dead letters", ("id", "at", "tenant", "stage", "error", "message"), shown)
    else:
        out.print("No dead letters.")


def show_dead_letter(letter_id: str, *, as_json: bool) -> None:
    """Everything about one dead letter."""
    with ledger_of(load_settings()) as ledger:
        letter = read_letter(ledger, letter_id)
    if letter is None:
        raise NotFoundError(f"no dead letter has the id '{letter_id}'; `penstock dlq list` shows them")
    fields = {name: getattr(letter, name) for name in letter.__dataclass_fields__}
    if as_json:
        print_json(fields)
        return
    short = ("id", "at", "tenant", "batch", "stage", "error", "message", "attempts", "cost_usd")
    print_pairs("Dead letter", {name: fields[name] for name in short})
    if letter.diagnosis:
        out.print(Markdown(to_markdown(Diagnosis.model_validate(letter.diagnosis))))
    out.print(letter.traceback, markup=False, highlight=False)
