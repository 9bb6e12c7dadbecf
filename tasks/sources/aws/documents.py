"""Documents in S3: a text or a PDF that was put there is an event of its own, for the `documents` pipeline."""

import io
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from contracts.events import Kind
from tasks.sources.aws.objects import get_object, read_whole
from tasks.sources.aws.shapes import ObjectPlace
from tasks.sources.records import RecordError

TEXTS: Final = frozenset({".txt", ".md"})
PDF: Final = ".pdf"
SUFFIXES: Final = (*sorted(TEXTS), PDF)
FOLDER: Final = "documents"
MOST_PDF_BYTES: Final = 50 * 1024 * 1024
MOST_PAGES: Final = 500


def is_document(key: str) -> bool:
    """Whether an object is, by its name, a document."""
    return PurePosixPath(key.lower()).suffix in SUFFIXES


def document_record(s3: Any, place: ObjectPlace, most_characters: int) -> dict[str, Any]:  # noqa: ANN401 - boto3's are
    """The record of a document: its text, and whose it is where it lies below `documents/TENANT/`.

    Its id is the object's key and version, so that told of twice it is one event, and put anew it is another.

    Raises:
        RecordError: it is no text, or there is none in it, or too much.
        GoneError: it is not there.
        AwayError: S3 does not answer.
    """
    is_pdf = PurePosixPath(place.key.lower()).suffix == PDF
    found = get_object(s3, place)
    content = read_whole(found["Body"], place, MOST_PDF_BYTES if is_pdf else most_characters)
    text = _of_pdf(content) if is_pdf else _of_text(content)
    if not text.strip():
        raise RecordError(
            "the document holds no text; one that was scanned has to be read by a machine first"
        )
    if len(text) > most_characters:
        raise RecordError(f"the document holds {len(text):,} characters; {most_characters:,} are read")
    version = place.version or found.get("VersionId") or found["ETag"].strip('"')
    # No time: without versions the same text put again is the same event, and would be another by when it was put.
    record = {
        "id": f"{place.key}@{version}",
        "source": f"s3://{place.bucket}",
        "type": Kind.DOCUMENT.value,
        "data": {"title": PurePosixPath(place.key).name, "text": text},
    }
    folder, *rest = place.key.split("/")
    return record | {"tenant": unquote(rest[0])} if folder == FOLDER and len(rest) > 1 else record


def _of_text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"the document is not UTF-8: {error}") from error


def _of_pdf(content: bytes) -> str:
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted:
            raise RecordError("the document is encrypted; put it there without a password")
        if len(reader.pages) > MOST_PAGES:
            raise RecordError(f"the document has {len(reader.pages)} pages; {MOST_PAGES} are read")
        return "\n\n".join(page.extract_text() for page in reader.pages)
    # What is broken in a PDF comes out of pypdf as errors of many kinds.
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OSError,
    ) as error:
        raise RecordError(f"the document cannot be read as PDF: {error}") from error
