"""Delivery: judged items become deliverables, and deliverables become files.

The file channel writes `<tenant>/<batch>/<id>.md` and `.json`, each to a temporary name and renamed into place:
written twice it is the same file, and a reader never sees half of one.
"""

import re
import shutil
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from contracts.deliverables import Deliverable, Provenance
from ledger.work import StoredItem
from tasks.render import markdown, title_of
from tasks.stages.base import BatchContext, Item

FILE_CHANNEL = "files"


def deliverables_of(
    context: BatchContext, stored: dict[str, StoredItem], costs: dict[str, Decimal], now: datetime
) -> tuple[Deliverable, ...]:
    """The batch's deliverables: every passed item that is meant to leave, with its provenance.

    `costs` is USD by item, generation and judgement together.
    """
    return tuple(
        _deliverable(context, item, stored[item.spec.name], costs.get(item.spec.name, Decimal(0)), now)
        for item in context.items
        if item.spec.is_delivered
    )


def _deliverable(
    context: BatchContext, item: Item, stored: StoredItem, cost: Decimal, now: datetime
) -> Deliverable:
    spec, batch = item.spec, context.batch
    sources = context.events if spec.event is None else (context.events[spec.event - 1],)
    return Deliverable(
        id=deliverable_id(batch.id, spec.name),
        batch=batch.id,
        tenant=batch.tenant,
        user=batch.user,
        kind=spec.kind,
        form=spec.form,
        title=title_of(item.content, spec.label),
        markdown=markdown(item.content),
        content=item.content.model_dump(mode="json"),
        scores=dict(item.scores),
        provenance=Provenance(
            events=tuple(event.id for event in sources),
            prompt=spec.prompt.name,
            prompt_version=stored.prompt_version,
            rubric_version=stored.rubric_version,
            model=stored.model,
            judge_model=stored.judge_model,
            cost_usd=float(cost),
        ),
        created_at=now,
    )


def deliverable_id(batch: str, item: str) -> str:
    """`d-` and 20 hex digits, derived from batch and item: also the key by which a receiver knows a repeat."""
    return f"d-{sha256(f'{batch}|{item}'.encode()).hexdigest()[:20]}"


def deliverable_path(folder: Path, deliverable: Deliverable) -> Path:
    """Where the file channel puts the markdown of a deliverable."""
    name = f"{deliverable.kind}-{deliverable.form}-{deliverable.id}.md"
    return _folder_of(folder, deliverable.tenant, deliverable.batch) / _safe(name)


def remove_files(folder: Path, tenant: str, batch: str) -> int:
    """Remove all that the file channel has of a batch; how many deliverables that were."""
    place = _folder_of(folder, tenant, batch)
    if not place.is_dir():
        return 0
    count = len(list(place.glob("*.json")))
    shutil.rmtree(place)
    return count


def _folder_of(folder: Path, tenant: str, batch: str) -> Path:
    return folder / _safe(tenant) / batch


def publish_to_files(folder: Path, deliverable: Deliverable) -> Path:
    """Write a deliverable as markdown and JSON; returns the markdown's path. OSError when it cannot."""
    path = deliverable_path(folder, deliverable)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, deliverable.markdown)
    _write(path.with_suffix(".json"), deliverable.model_dump_json(indent=2) + "\n")
    return path


def _safe(name: str) -> str:
    """`name` as one path component on any file system; two names never share one."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:120]
    return plain if plain == name else f"{plain}~{sha256(name.encode()).hexdigest()[:8]}"


def _write(path: Path, text: str) -> None:
    # Batches publish side by side, and one may find what another is about to publish: no two share a draft.
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
