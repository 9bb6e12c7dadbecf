"""`status BATCH`, `show`, `dlq show`: all about one thing, found by its id or the beginning of it."""

from textwrap import shorten
from typing import Any, Final

from contracts.deliverables import Deliverable
from gateway.cli.errors import NotFoundError
from gateway.cli.ledger import ledger_of
from gateway.cli.output import (
    SHORT_ID,
    local,
    out,
    print_json,
    print_markdown,
    print_pairs,
    print_table,
    usd,
)
from ledger.batches import batch_diagnosis, batch_history, read_batch
from ledger.deliveries import list_deliverables, read_deliverable
from ledger.engine import Ledger
from ledger.work import StoredItem, read_items
from tasks.diagnosis.report import Diagnosis
from tasks.settings import load_settings

MANY: Final = 1_000
EVENTS_SHOWN: Final = 100


def show_batch(batch_id: str, *, as_json: bool) -> None:
    """One batch: where it stands, how it got there, what was made, and why it failed."""
    with ledger_of(load_settings()) as ledger:
        found = _batch_details(ledger, batch_id)
    if as_json:
        print_json(_plain_batch(found))
        return
    _print_batch(found)
    history = [
        (local(step.at), str(step.from_state), str(step.to_state), step.reason) for step in found["history"]
    ]
    print_table("How it got there", ("when", "from", "to", "why"), history)
    _print_items(found["items"])
    if found["deliverables"]:
        made = [(one.id[:SHORT_ID], f"{one.kind}, {one.form}", one.title) for one in found["deliverables"]]
        print_table("Deliverables", ("deliverable", "kind", "title"), made)
        out.print("\n`penstock show DELIVERABLE` prints one.")
    print_diagnosis(found["diagnosis"])


def _batch_details(ledger: Ledger, batch_id: str) -> dict[str, Any]:
    batch = read_batch(ledger, batch_id)
    if batch is None:
        raise NotFoundError(f"no batch has the id '{batch_id}'; `penstock status` lists the latest")
    return {
        "batch": batch,
        "history": batch_history(ledger, batch.id),
        "items": read_items(ledger, batch.id),
        "deliverables": list_deliverables(ledger, batch.id, MANY),
        "diagnosis": batch_diagnosis(ledger, batch.id),
    }


def _plain_batch(found: dict[str, Any]) -> dict[str, Any]:
    """The details with the keys that programs rely on."""
    item_keys = ("item", "kind", "form", "verdict", "scores")
    return {
        "batch": found["batch"].model_dump(mode="json"),
        "history": [
            {"at": step.at, "from": step.from_state, "to": step.to_state, "reason": step.reason}
            for step in found["history"]
        ],
        "items": [{key: getattr(item, key) for key in item_keys} for item in found["items"]],
        "deliverables": [
            one.model_dump(mode="json", include={"id", "kind", "form", "title"})
            for one in found["deliverables"]
        ],
        "diagnosis": found["diagnosis"],
    }


def _print_batch(found: dict[str, Any]) -> None:
    batch = found["batch"]
    pairs = {
        "State": str(batch.state),
        "Why": batch.reason,
        "Resumes at": local(batch.resume_at) if batch.resume_at else None,
        "Level": str(batch.level),
        "Tenant": batch.tenant,
        "User": batch.user,
        "Pipeline": batch.pipeline,
        "Events": f"{batch.size:,}, about {batch.tokens:,} tokens",
        "Made at": local(batch.created_at),
    }
    print_pairs(f"Batch {batch.id}", {name: value for name, value in pairs.items() if value is not None})


def _print_items(items: tuple[StoredItem, ...]) -> None:
    """A line an item, a column a criterion."""
    criteria = list(dict.fromkeys(name for item in items for name in item.scores))
    rows = [
        (
            item.item,
            item.verdict or "not judged",
            *(f"{item.scores[name]:.2f}" if name in item.scores else "-" for name in criteria),
        )
        for item in items
    ]
    if rows:
        print_table(
            "What was made", ("item", "verdict", *(name.replace("_", " ") for name in criteria)), rows
        )


def print_diagnosis(found: dict[str, Any] | None) -> None:
    """What an operator needs of it; the prompt for a coding assistant is in the JSON."""
    if not found:
        return
    diagnosis = Diagnosis.model_validate(found)
    by = {"model": "the diagnosis model; check before acting", "rules": "rules", "trace": "the trace alone"}
    pairs = {
        "What happened": diagnosis.summary,
        "Why": diagnosis.root_cause,
        "What to do": diagnosis.suggested_fix,
        "Explained by": by[diagnosis.source],
        "More": "--json holds a prompt for a coding assistant",
    }
    print_pairs("Diagnosis", pairs)


def show_deliverable(deliverable_id: str, *, as_json: bool) -> None:
    """A deliverable as its reader gets it, then where it comes from."""
    with ledger_of(load_settings()) as ledger:
        found = read_deliverable(ledger, deliverable_id)
    if found is None:
        raise NotFoundError(
            f"no deliverable has the id '{deliverable_id}'; `penstock status BATCH` lists those of a batch"
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_markdown(found.markdown)
    _print_source(found)


def _print_source(found: Deliverable) -> None:
    source = found.provenance
    events = shorten(", ".join(source.events), EVENTS_SHOWN, placeholder=" ...")
    print_pairs(
        "Where it comes from",
        {
            "For": found.tenant if found.user is None else f"{found.tenant} / {found.user}",
            "Kind": f"{found.kind}, {found.form.replace('_', ' ')}",
            "Batch": found.batch,
            "Events": f"{len(source.events)}: {events}",
            "Prompt": f"{source.prompt}, version {source.prompt_version}",
            "Written by": source.model,
            "Judged by": f"{source.judge_model}, rubric {source.rubric_version}",
            "Scores": ", ".join(
                f"{name.replace('_', ' ')} {score:.2f}" for name, score in found.scores.items()
            ),
            "Cost": usd(source.cost_usd),
        },
    )
