"""Task shells: what Prefect sees of a step. Each wraps one plain function and adds its name in the UI.

Parameters are values; live objects come from the runtime. Retries are not Prefect's here: `tasks.model.paid` owns
them, so that a request that was paid for is never sent again by a second owner.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Failed

from contracts.attachments import Attachment
from contracts.batches import BatchWork
from ledger.attachments import STAGE
from ledger.work import StoredItem
from tasks.model.paid import Caller
from tasks.produce import GateClosedError, JudgeOutageError, produce
from tasks.runtime import current_runtime
from tasks.stages.base import BatchContext, Item, ItemSpec
from tasks.stages.context import validated_context

if TYPE_CHECKING:
    # What reads pictures and PDFs is loaded where attachments are taken, and not by every lane.
    from tasks.attachments.intake import Taken


@task(name="validate context", task_run_name="validate context", cache_policy=NO_CACHE, persist_result=False)
async def validate_context(work: BatchWork, attached: tuple[Attachment, ...]) -> BatchContext:
    """Do the events say anything, or the files that came with them? The batch as its stages will see it."""
    return validated_context(work, attached)


@task(name="generate and judge", task_run_name="{title}", cache_policy=NO_CACHE, persist_result=False)
async def produce_item(
    title: str, spec: ItemSpec, who: Caller, stored: StoredItem | None
) -> Item | State[Item]:
    """Generate one item and have it judged. What the gate stops is a failed run that says why, not a crash."""
    del title
    try:
        return await produce(spec, who, stored, current_runtime().producer)
    except (GateClosedError, JudgeOutageError) as stopped:
        return Failed(message=str(stopped), data=stopped)


@task(name="attachment", task_run_name="{title}", cache_policy=NO_CACHE, persist_result=False)
async def take_attachment(title: str, take: Callable[[], Awaitable["Taken"]]) -> "Taken | State[Taken]":
    """Take one attachment. One that is refused is a failed run; its dead letter says why, and may name people."""
    del title
    taken = await take()
    if taken.why is None:
        return taken
    return Failed(message=f"{type(taken.why).__name__}; `penstock dlq list --stage {STAGE}`", data=taken)
