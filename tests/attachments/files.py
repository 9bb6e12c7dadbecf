"""Files as people attach them, and as nobody should: made here, byte by byte where no library would make them."""

import io
import struct
import zlib

from PIL import ExifTags, Image, PngImagePlugin
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

PIXEL = (30, 90, 160)


def png(size=(64, 48), **words) -> bytes:
    """A screenshot; `words` are its chunks for readers."""
    chunks = PngImagePlugin.PngInfo()
    for name, text in words.items():
        chunks.add_text(name, text)
    return _saved(Image.new("RGB", size, PIXEL), "PNG", pnginfo=chunks)


def photo(size=(80, 60), orientation=6) -> bytes:
    """A photo of a telephone: lying on its side, with camera, time and place."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "One"
    exif[ExifTags.Base.ImageDescription] = "the broken hinge"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:11:30 08:15:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N-PLACE"
    return _saved(Image.new("RGB", size, PIXEL), "JPEG", exif=exif)


def moving(frames=3, form="GIF") -> bytes:
    """A short film, each frame another."""
    pictures = [Image.new("RGB", (40, 30), (60 * number, 90, 160)) for number in range(frames)]
    return _saved(pictures[0], form, save_all=True, append_images=pictures[1:], duration=80, loop=0)


def pdf(*texts, pages=None, **metadata) -> bytes:
    """A document with a page for each text, or so many empty ones."""
    writer = PdfWriter()
    for text in texts or [""] * (pages or 1):
        page = writer.add_blank_page(300, 200)
        if text:
            font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
            named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
            fonts = DictionaryObject({NameObject("/F1"): named})
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
            content = StreamObject()
            content.set_data(f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode())
            page[NameObject("/Contents")] = writer._add_object(content)
    writer.add_metadata({f"/{name.title()}": said for name, said in metadata.items()})
    return _written(writer)


def locked_pdf() -> bytes:
    """A document with a password."""
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret", algorithm="RC4-128")
    return _written(writer)


def pdf_bomb() -> bytes:
    """A document whose only page unpacks to 200 MB."""
    return _with_stream(zlib.compress(b" " * 200_000_000, 9))


def _with_stream(packed: bytes) -> bytes:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, one in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in places)
    return bytes(out + b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table)


def png_bomb(side=30_000) -> bytes:
    """A picture of 900 million pixels in some hundred kilobytes."""
    row = b"\0" + bytes(side // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    )


def gif_bomb(frames=3_000) -> bytes:
    """A film of few bytes with many large frames."""
    picture = Image.new("P", (2_000, 2_000))
    one = _saved(picture, "GIF")
    # What lies between header and trailer is the frame, as often as one likes (GIF89a, section 20).
    begin = 13 + 3 * 2 ** ((one[10] & 7) + 1) if one[10] & 128 else 13
    return one[:begin] + one[begin:-1] * frames + b";"


def _saved(picture, form, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def _written(writer) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
