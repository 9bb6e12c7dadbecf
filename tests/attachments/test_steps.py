"""Files, worked on: what is taken is told by content, what is made is small, marked and tells nothing more."""

import io
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject

from tasks.attachments import pdfs
from tasks.attachments.refusals import (
    AttachmentTooLargeError,
    AttachmentTypeError,
    BrokenAttachmentError,
    DecompressionBombError,
    RefusedAttachmentError,
)
from tasks.attachments.steps import SUFFIXES, checked, marked, read, thumbnail
from tests.attachments import files

TAKEN = {
    "image/png": files.png(),
    "image/jpeg": files.photo(),
    "image/gif": files.moving(),
    "image/webp": files.moving(form="WEBP"),
    "application/pdf": files.pdf("Invoice 42", "second page"),
}


@pytest.fixture
def kept(tmp_path):
    """Keeps content as a file whose name says nothing."""

    def keep(content: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return keep


@pytest.mark.parametrize("kind", TAKEN)
def test_the_type_is_that_of_the_content(kept, kind):
    """Whatever a file is called."""
    assert checked(kept(TAKEN[kind])) == kind
    assert kind in SUFFIXES


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", AttachmentTypeError, "its content is none of"),
        (b"<svg onload='x()'/>", AttachmentTypeError, "its content is none of"),
        (b"MZ\x90\0", AttachmentTypeError, "its content is none of"),
        (b"PK\x03\x04", AttachmentTypeError, "its content is none of"),
        (files.png_bomb(), DecompressionBombError, "unpacks to 900,000,000 pixels"),
        (files.png((8_000, 5_001)), DecompressionBombError, "40,008,000 pixels"),
        (files.gif_bomb(), DecompressionBombError, "pixels"),
        (files.pdf(pages=501), AttachmentTooLargeError, "it has 501 pages"),
        (files.locked_pdf(), BrokenAttachmentError, "encrypted"),
        (b"%PDF-1.7\nnothing else", BrokenAttachmentError, "cannot be read"),
        (files.pdf("x")[:-200], BrokenAttachmentError, ""),
    ],
    ids=["empty", "svg", "program", "zip", "bomb", "large", "film", "pages", "locked", "hollow", "cut"],
)
def test_what_is_not_taken_is_refused_for_a_stated_reason(kept, content, error, said):
    """Before it is unpacked: a bomb is told by its header."""
    if content == files.pdf("x")[:-200]:
        with pytest.raises(RefusedAttachmentError):
            read(kept(content), checked(kept(content)))
        return
    with pytest.raises(error, match=said):
        checked(kept(content))


def test_a_document_that_unpacks_to_too_much_is_refused(kept, tmp_path):
    """When its pages are unpacked: a stream says nothing of its size before."""
    with pytest.raises(DecompressionBombError, match="much larger unpacked"):
        marked(kept(files.pdf_bomb()), pdfs.TYPE, tmp_path / "marked", "acme")


@pytest.mark.parametrize("kind", TAKEN)
def test_a_thumbnail_is_small_and_upright(kept, tmp_path, kind):
    """At most 320 by 320, of every type; a photo that lies on its side stands."""
    thumbnail(kept(TAKEN[kind]), kind, tmp_path / "small.webp")
    with Image.open(tmp_path / "small.webp") as made:
        assert made.format == "WEBP"
        assert max(made.size) <= 320
        if kind == "image/jpeg":
            assert made.size == (60, 80)


def test_a_large_picture_is_made_small(kept, tmp_path):
    """In its own proportions."""
    thumbnail(kept(files.png((3_000, 1_500))), "image/png", tmp_path / "small.webp")
    with Image.open(tmp_path / "small.webp") as made:
        assert made.size == (320, 160)


@pytest.mark.parametrize("kind", [one for one in TAKEN if one != pdfs.TYPE])
def test_a_marked_picture_is_of_its_own_type_with_all_its_frames(kept, tmp_path, kind):
    """And it is not what it was."""
    marked(kept(TAKEN[kind]), kind, tmp_path / "marked", "acme")
    with Image.open(tmp_path / "marked") as made, Image.open(io.BytesIO(TAKEN[kind])) as before:
        assert made.format == before.format
        assert getattr(made, "n_frames", 1) == getattr(before, "n_frames", 1)
        shown = made.convert("RGB")
        assert len(shown.getcolors(made.width * made.height)) > 10


def test_a_marked_document_has_all_its_pages_with_the_words_on_each(kept, tmp_path):
    """And its own text."""
    marked(kept(TAKEN[pdfs.TYPE]), pdfs.TYPE, tmp_path / "marked", "for acme")
    texts = [page.extract_text() for page in PdfReader(tmp_path / "marked").pages]
    assert [text.count("for acme") for text in texts] == [3, 3]
    assert "Invoice 42" in texts[0]


def test_what_is_made_tells_nothing_of_where_a_photo_was_taken(kept, tmp_path):
    """Neither place nor camera: what is shown around holds pixels alone."""
    original = kept(files.photo())
    assert b"N-PLACE" in original.read_bytes()
    thumbnail(original, "image/jpeg", tmp_path / "small")
    marked(original, "image/jpeg", tmp_path / "marked", "acme")
    for made in ("small", "marked"):
        content = (tmp_path / made).read_bytes()
        assert not any(word in content for word in (b"N-PLACE", b"Maker", b"hinge"))


def test_a_picture_is_read_by_what_was_written_into_it(kept):
    """Size, time, camera and descriptions; nothing of the place."""
    details, text = read(kept(files.photo()), "image/jpeg")
    assert details == {
        "width": 80,
        "height": 60,
        "frames": 1,
        "taken_at": "2026-11-30T08:15:00",
        "camera": "Maker One",
    }
    assert text == "the broken hinge"
    assert read(kept(files.png(Title="Error 42", Comment="Error 42")), "image/png")[1] == "Error 42"


def test_a_document_is_read_as_far_as_is_kept(kept):
    """Its pages, title, author and text."""
    content = files.pdf("Invoice 42", "second page", title="Bill", author="Ann")
    details, text = read(kept(content), pdfs.TYPE)
    assert details == {"pages": 2, "title": "Bill", "author": "Ann"}
    assert text == "Invoice 42\n\nsecond page"


def test_of_a_long_document_the_beginning_is_kept(kept):
    """100,000 characters, and the rest is not even read."""
    content = files.pdf(*["word " * 5_000 for _ in range(6)])
    assert len(read(kept(content), pdfs.TYPE)[1]) == pdfs.MOST_CHARACTERS


@given(kind=st.sampled_from(sorted(TAKEN)), start=st.floats(0, 1), noise=st.binary(min_size=1, max_size=40))
def test_a_damaged_file_is_worked_on_or_refused_and_nothing_else(tmp_path_factory, kind, start, noise):
    """Whatever bytes are changed: no other error comes out."""
    content, folder = bytearray(TAKEN[kind]), tmp_path_factory.mktemp("damaged")
    at = int(start * len(content))
    content[at : at + len(noise)] = noise
    path = folder / "file"
    path.write_bytes(content)
    try:
        found = checked(path)
        thumbnail(path, found, folder / "small")
        marked(path, found, folder / "marked", "acme")
        read(path, found)
    except RefusedAttachmentError:
        event("refused")
    else:
        event("worked on")


def changed(content: bytes, at: int, to: int) -> bytes:
    """The content with one byte changed."""
    return content[:at] + bytes([to]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (changed(files.photo(), 53, 1), "image/jpeg"),
        (changed(files.moving(form="WEBP"), 29, 1), "image/webp"),
        (files.moving()[:53] + files.moving()[56:], "image/gif"),
    ],
    ids=["exif", "webp", "gif"],
)
def test_what_a_library_falls_over_is_refused_and_no_error_of_ours(kept, tmp_path, content, kind):
    """Damages over which Pillow raises errors of its own inner life."""
    path = kept(content)

    def road():
        checked(path)
        thumbnail(path, kind, tmp_path / "small")
        marked(path, kind, tmp_path / "marked", "acme")

    with pytest.raises(RefusedAttachmentError):
        road()


def test_a_full_disk_is_not_the_files_fault(kept):
    """The message goes back, and the file is worked on when there is room."""
    with pytest.raises(OSError, match="No space left"):
        thumbnail(kept(files.png((900, 900))), "image/png", Path("/dev/full"))


def test_a_picture_that_speaks_of_pdfs_is_a_picture(kept):
    """What a PDF begins with may stand in a picture's description."""
    assert checked(kept(files.png(Title="export of %PDF-1.7 viewer failed"))) == "image/png"


def test_what_is_said_of_a_file_is_bounded(kept):
    """Details and text are anybody's, and as long as they like."""
    exif = Image.Exif()
    exif[271], exif[270] = "m" * 300_000, "d" * 300_000
    out = io.BytesIO()
    Image.new("RGB", (10, 10)).save(out, "PNG", exif=exif)
    details, text = read(kept(out.getvalue()), "image/png")
    assert (len(details["camera"]), len(text)) == (256, 100_000)


@pytest.mark.parametrize("corner", [(0, 0), (1_000, 1_000), (-300, -200)])
@pytest.mark.parametrize("turned", [0, 90])
def test_a_mark_is_on_the_page_wherever_its_box_begins(tmp_path, corner, turned):
    """A page may begin anywhere, and lie on its side."""
    writer = PdfWriter()
    page = writer.add_blank_page(300, 200)
    left, bottom = corner
    page.mediabox = page.cropbox = RectangleObject((left, bottom, left + 300, bottom + 200))
    page.rotate(turned)
    writer.write(tmp_path / "plain.pdf")
    marked(tmp_path / "plain.pdf", pdfs.TYPE, tmp_path / "marked.pdf", "acme")
    thumbnail(tmp_path / "marked.pdf", pdfs.TYPE, tmp_path / "small.webp")
    with Image.open(tmp_path / "small.webp") as small:
        dark = sum(small.convert("L").histogram()[:230])
    assert dark > 100
