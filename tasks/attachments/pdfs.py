"""PDFs: what is in them (pypdf), their first page small (PDFium), every page with a mark across (pypdf).

pypdf bounds what a stream unpacks to; time and memory are bounded by the process that this runs in (`workshop`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pypdfium2
from pypdf import PageObject, PdfReader, PdfWriter, Transformation
from pypdf.errors import LimitReachedError
from pypdf.generic import DecodedStreamObject, DictionaryObject, FloatObject, NameObject

from tasks.attachments.images import MOST_CHARACTERS, SMALL, line_of
from tasks.attachments.refusals import (
    AttachmentTooLargeError,
    BrokenAttachmentError,
    DecompressionBombError,
    refusing,
)

TYPE: Final = "application/pdf"
MOST_PAGES: Final = 500
_HEADER: Final = b"%PDF-"
_WITHIN: Final = 1024
"""PDF readers look for the header so far (ISO 32000-1, annex H, note 13)."""


def is_pdf(path: Path) -> bool:
    """Whether the content begins as PDFs do."""
    with path.open("rb") as file:
        return _HEADER in file.read(_WITHIN)


def check(path: Path) -> None:
    """Refuse what cannot be read, is encrypted, or has too many pages."""
    with _opened(path) as reader:
        pages = len(reader.pages)
        if pages > MOST_PAGES:
            raise AttachmentTooLargeError(f"it has {pages} pages; {MOST_PAGES} are read")
        if not pages:
            raise BrokenAttachmentError("it has no pages")


def thumbnail(path: Path, out: Path) -> None:
    """The first page as a WebP of at most 320 by 320 pixels."""
    with refusing("its first page"), pypdfium2.PdfDocument(path) as document:
        page = document[0]
        scale = min(size / max(side, 1) for size, side in zip(SMALL, page.get_size(), strict=True))
        page.render(scale=scale).to_pil().convert("RGB").save(out, "WEBP", quality=80)


def marked(path: Path, out: Path, words: str) -> None:
    """All pages, each with the words across; what ran by itself in the original does not come along."""
    with _opened(path) as reader:
        writer = PdfWriter()
        for page in reader.pages:
            added = writer.add_page(page, excluded_keys=["/AA", "/Annots"])
            added.transfer_rotation_to_content()
            box = added.cropbox
            stamp = _stamp(words, float(box.width), float(box.height))
            added.merge_transformed_page(
                stamp, Transformation().translate(float(box.left), float(box.bottom))
            )
        writer.write(out)


def read(path: Path) -> tuple[dict[str, Any], str]:
    """How many pages, their title and author, and their text, as much as is kept of one."""
    with _opened(path) as reader:
        said = reader.metadata
        details = {
            "pages": len(reader.pages),
            "title": line_of(said.title if said else None),
            "author": line_of(said.author if said else None),
        }
        text = _text(reader)
    return {name: value for name, value in details.items() if value}, text


def _text(reader: PdfReader) -> str:
    """Page by page until there is enough: of a long one nobody reads the rest."""
    texts, length = [], 0
    for page in reader.pages:
        texts.append(page.extract_text().strip())
        length += len(texts[-1])
        if length > MOST_CHARACTERS:
            break
    return "\n\n".join(filter(None, texts))[:MOST_CHARACTERS]


@contextmanager
def _opened(path: Path) -> Iterator[PdfReader]:
    """The document; what is wrong with it comes out as a refusal."""
    with refusing("the PDF"):
        try:
            reader = PdfReader(path, strict=False)
            if reader.is_encrypted:
                raise BrokenAttachmentError("it is encrypted; put it there without a password")
            yield reader
        except LimitReachedError as error:
            raise DecompressionBombError(f"it would be much larger unpacked: {error}") from None


def _stamp(words: str, width: float, height: float) -> PageObject:
    """A page of its own with the words at a slant, to be laid over another (ISO 32000-1, 9.4, 11.6.5)."""
    size = max(8.0, min(width, height) / 14)
    page = PageObject.create_blank_page(width=width, height=height)
    page[NameObject("/Resources")] = DictionaryObject(
        {
            NameObject("/Font"): DictionaryObject({NameObject("/Fpen"): _helvetica()}),
            NameObject("/ExtGState"): DictionaryObject({NameObject("/Gpen"): _faint()}),
        }
    )
    shown = words.encode("latin-1", "replace").hex()
    lines = "".join(
        f"q 1 0 0 1 {width * 0.1:.2f} {height * part:.2f} cm .87 .5 -.5 .87 0 0 cm\n"
        f"BT /Fpen {size:.2f} Tf <{shown}> Tj ET Q\n"
        for part in (0.1, 0.4, 0.7)
    )
    content = DecodedStreamObject()
    content.set_data(f"q /Gpen gs 0.5 g\n{lines}Q\n".encode())
    page[NameObject("/Contents")] = content
    return page


def _helvetica() -> DictionaryObject:
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
        }
    )


def _faint() -> DictionaryObject:
    return DictionaryObject({NameObject("/ca"): FloatObject(0.35), NameObject("/CA"): FloatObject(0.35)})
