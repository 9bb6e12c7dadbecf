"""The steps of an attachment's road as plain functions over files: checked, and then three things made of it."""

from pathlib import Path
from typing import Any, Final

from tasks.attachments import images, pdfs
from tasks.attachments.refusals import AttachmentTypeError

SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    pdfs.TYPE: ".pdf",
}
"""What is taken, with what the marked copy's name ends with."""


def checked(path: Path) -> str:
    """The media type, by content. Raises RefusedAttachmentError for what is not taken."""
    # Pictures first: their first bytes say it, and what a PDF begins with may stand in a picture's description.
    if (found := images.type_of(path)) is not None:
        return found
    if not pdfs.is_pdf(path):
        raise AttachmentTypeError(f"its content is none of {', '.join(sorted(SUFFIXES))}")
    pdfs.check(path)
    return pdfs.TYPE


def thumbnail(path: Path, media_type: str, out: Path) -> None:
    """A small picture of it, for whoever looks through many."""
    (pdfs if media_type == pdfs.TYPE else images).thumbnail(path, out)


def marked(path: Path, media_type: str, out: Path, words: str) -> None:
    """A copy with the words across, for whoever is shown it."""
    (pdfs if media_type == pdfs.TYPE else images).marked(path, out, words)


def read(path: Path, media_type: str) -> tuple[dict[str, Any], str]:
    """What is known of it, and what it says."""
    return pdfs.read(path) if media_type == pdfs.TYPE else images.read(path)
