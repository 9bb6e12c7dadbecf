"""Attachments in S3: as they came, what was made of them, and their removal. Blocking, for threads."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from contracts.attachments import Attachment
from tasks.attachments.places import attachment_at
from tasks.attachments.refusals import AttachmentTooLargeError
from tasks.sources.aws.clients import AwayError, judged
from tasks.sources.aws.objects import get_object
from tasks.sources.aws.shapes import ObjectPlace, place_of

MOST_BYTES: Final = 50 * 1024 * 1024
_BLOCK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that was asked for, not read yet: `body` is to be closed."""

    attachment: Attachment
    size: int
    body: Any


def opened(s3: Any, place: ObjectPlace) -> Opened:  # noqa: ANN401 - boto3's are
    """Ask for an object. Raises GoneError, AwayError, NoAttachmentError."""
    found = get_object(s3, place)
    # "null" is what S3 calls the version of an object from before its bucket had any.
    is_versioned = found.get("VersionId", "null") != "null"
    version = found["VersionId"] if is_versioned else found["ETag"].strip('"')
    try:
        attachment = attachment_at(place, version, is_versioned=is_versioned, stored_at=found["LastModified"])
    except Exception:
        found["Body"].close()
        raise
    return Opened(attachment, found["ContentLength"], found["Body"])


def saved(one: Opened, path: Path) -> str:
    """Bring it into a file; the SHA-256 of its content. AttachmentTooLargeError, AwayError."""
    digest, left = sha256(), MOST_BYTES
    if one.size > MOST_BYTES:
        raise AttachmentTooLargeError(f"it has {one.size:,} bytes; {MOST_BYTES:,} are taken")
    with path.open("wb") as file:
        try:
            while block := one.body.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise AttachmentTooLargeError(f"it has more than {MOST_BYTES:,} bytes")
                digest.update(block)
                file.write(block)
        except (ClientError, BotoCoreError) as error:
            raise AwayError(f"{one.attachment.address} stopped coming: {error}") from error
    return digest.hexdigest()


def put(s3: Any, path: Path, place: ObjectPlace, media_type: str) -> str:  # noqa: ANN401 - boto3's are
    """Put a file there; its address. AwayError."""
    try:
        with path.open("rb") as file:
            s3.put_object(Bucket=place.bucket, Key=place.key, Body=file, ContentType=media_type)
    except (ClientError, BotoCoreError) as error:
        raise AwayError(f"{place} was not taken: {error}") from error
    return str(place)


def remove(s3: Any, addresses: Iterable[str]) -> int:  # noqa: ANN401 - boto3's are
    """Remove objects, every version of each, and all below an address that ends with a slash; how many objects.

    What is not there, or lay in a bucket that is gone, is removed already. AwayError: some may be gone by then.
    """
    count = 0
    for address in addresses:
        place = place_of(address)
        if place is None:
            continue
        try:
            count += _removed(s3, place)
        except (ClientError, BotoCoreError) as error:
            judgement = judged(error)
            if isinstance(judgement, AwayError):
                raise AwayError(f"{address} cannot be removed: {judgement}") from error
    return count


def _removed(s3: Any, place: ObjectPlace) -> int:  # noqa: ANN401 - boto3's are
    """Versions, and the marks that earlier removals have left; of how many objects."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=place.key)
    versions = [
        (one["Key"], one["VersionId"])
        for page in pages
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        if place.key.endswith("/") or one["Key"] == place.key
    ]
    for key, version in versions:
        s3.delete_object(Bucket=place.bucket, Key=key, VersionId=version)
    return len({key for key, _ in versions})
