"""An attachment's road: fetched, checked, three things made of it side by side, recorded once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from contracts.attachments import Attachment, AttachmentState, Findings
from ledger.attachment_reads import attachment_state
from ledger.attachments import Kept, keep_attachment, refuse_attachment
from ledger.engine import Ledger
from ledger.event_reads import is_event_erased
from tasks.attachments.letters import letter_about
from tasks.attachments.places import NoAttachmentError, attachment_at, made_at
from tasks.attachments.refusals import (
    BrokenAttachmentError,
    DeniedAttachmentError,
    MissingAttachmentError,
    RefusedAttachmentError,
)
from tasks.attachments.rules import AttachmentRules
from tasks.attachments.steps import SUFFIXES, checked, marked, read, thumbnail
from tasks.attachments.store import Opened, opened, put, remove, saved
from tasks.attachments.workshop import IN_FLIGHT, Workshop, WorkshopError
from tasks.redaction.redactor import Redactor
from tasks.sources.aws.clients import GoneError
from tasks.sources.aws.shapes import ObjectPlace

P = ParamSpec("P")
R = TypeVar("R")
SMALL: Final = "thumbnail.webp"
OFTEN: Final = 4
"""A file over which processes have ended so often is refused: a queue's redrive policy usually gives up after five."""


class Outcome(StrEnum):
    """What became of an attachment."""

    KEPT = "kept"
    DUPLICATE = "duplicates"
    REFUSED = "refused"
    ERASED = "erased"


class Taken(NamedTuple):
    """What became of an attachment; with the reason where it was refused."""

    outcome: Outcome
    why: RefusedAttachmentError | None = None


class AttachmentIntake:
    """Takes attachments, as many side by side as like to: the workshop and its threads bound them."""

    def __init__(
        self,
        s3: Any,  # noqa: ANN401 - boto3's are
        ledger: Ledger,
        workshop: Workshop,
        rules: AttachmentRules,
        *,
        now: Callable[[], datetime],
        redactor: Redactor | None = None,
        workplace: Path | None = None,
    ) -> None:
        self._s3, self._ledger, self._workshop, self._rules = s3, ledger, workshop, rules
        self._now, self._redactor = now, redactor
        self._workplace = workplace
        self._threads = ThreadPoolExecutor(2 * IN_FLIGHT, "attachment")

    async def take(self, place: ObjectPlace, received: int = 1) -> Taken:
        """Take what is there now, unless that version of it has been taken; `received` counts deliveries.

        Raises:
            NoAttachmentError: it is nobody's attachment, or not there.
            AwayError, LedgerFaultError, WorkshopError: not now; nothing is on record.
        """
        told = attachment_at(place, place.version or "")
        if await self._threaded(is_event_erased, self._ledger, told.event_key):
            return await self._erased(told)
        if place.version is not None and await self._is_done(told):
            return Taken(Outcome.DUPLICATE)
        try:
            found = await self._threaded(opened, self._s3, place)
        except GoneError as error:
            raise NoAttachmentError(f"{place} is not there any more ({error})") from error
        with closing(found.body):
            if await self._is_done(found.attachment):
                return Taken(Outcome.DUPLICATE)
            return await self._taken(found, received)

    async def take_again(self, refused: Attachment, attempts: int) -> Taken:
        """Take one that was refused and has been replayed, and is tried for the n-th time. Raises as `take`."""
        version = refused.version if refused.is_versioned else None
        begun = self._now()
        try:
            found = await self._threaded(opened, self._s3, ObjectPlace(refused.bucket, refused.key, version))
        except GoneError as error:
            return await self._refuse(
                refused, MissingAttachmentError(f"it is not there any more ({error})"), 1, begun
            )
        with closing(found.body):
            if found.attachment.id != refused.id:
                missing = MissingAttachmentError("another file has been put in its place since")
                return await self._refuse(refused, missing, 1, begun)
            return await self._taken(found, attempts)

    def close(self) -> None:
        """Nothing more is taken."""
        self._threads.shutdown()

    async def _is_done(self, one: Attachment) -> bool:
        state = await self._threaded(attachment_state, self._ledger, one.id)
        return state not in {None, AttachmentState.WAITING}

    async def _taken(self, found: Opened, received: int) -> Taken:
        begun = self._now()
        try:
            with TemporaryDirectory(prefix="attachment-", dir=self._workplace) as folder:
                complete = await self._complete(found, Path(folder))
        except RefusedAttachmentError as why:
            return await self._refuse(found.attachment, why, received, begun)
        except WorkshopError as error:
            if received < OFTEN:
                raise
            broken = BrokenAttachmentError(f"it could not be worked on {received} times: {error}")
            return await self._refuse(found.attachment, broken, received, begun)
        publish = self._rules.topic is not None
        kept = await self._threaded(keep_attachment, self._ledger, complete, self._now(), publish=publish)
        return await self._told(kept, complete)

    async def _refuse(
        self, one: Attachment, why: RefusedAttachmentError, received: int, begun: datetime
    ) -> Taken:
        letter = letter_about(one, why, received, begun, self._now())
        return await self._told(await self._threaded(refuse_attachment, self._ledger, one, letter), one, why)

    async def _told(self, kept: Kept, one: Attachment, why: RefusedAttachmentError | None = None) -> Taken:
        if kept is Kept.ERASED:
            return await self._erased(one)
        if kept is Kept.DUPLICATE:
            return Taken(Outcome.DUPLICATE)
        return Taken(Outcome.KEPT) if why is None else Taken(Outcome.REFUSED, why)

    async def _erased(self, one: Attachment) -> Taken:
        """Of an erased person nothing stays: neither the file nor what was made of any file of its event."""
        made = str(made_at(one, self._rules.results))
        await self._threaded(remove, self._s3, (one.address, made))
        return Taken(Outcome.ERASED)

    async def _complete(self, found: Opened, folder: Path) -> Attachment:
        """The attachment with its findings; what was made of it is in its place."""
        one, original, small = found.attachment, folder / "original", folder / SMALL
        digest = await self._threaded(saved, found, original)
        if digest in self._rules.denied:
            raise DeniedAttachmentError(f"its SHA-256 is on the denylist: {digest}")
        kind = await self._workshop.run(checked, original)
        large = folder / f"marked{SUFFIXES[kind]}"
        details, text = await self._made(original, kind, small, large, self._rules.words(one))
        if self._redactor is not None:
            details, text = self._redactor.data(details), self._redactor.text(text)
        findings = Findings(
            media_type=kind,
            size=original.stat().st_size,
            sha256=digest,
            details=details,
            text=text,
            thumbnail=await self._put(one, small, "image/webp"),
            marked=await self._put(one, large, kind),
        )
        return one.model_copy(update={"findings": findings})

    async def _made(self, original: Path, kind: str, small: Path, large: Path, words: str) -> tuple[Any, str]:
        """The three transforms side by side; what was read, or the first refusal once all have ended."""
        run = self._workshop.run
        results = await asyncio.gather(
            run(thumbnail, original, kind, small),
            run(marked, original, kind, large, words),
            run(read, original, kind),
            return_exceptions=True,
        )
        for one in results:
            if isinstance(one, BaseException):
                raise one
        found: tuple[Any, str] = results[2]
        return found

    async def _put(self, one: Attachment, path: Path, media_type: str) -> str:
        place = made_at(one, self._rules.results, path.name)
        return await self._threaded(put, self._s3, path, place, media_type)

    async def _threaded(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In a thread of its own: the loop's usual ones are few."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))
