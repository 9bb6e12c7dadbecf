"""Pictures: what is in them, small, and with a mark across. What is made holds no EXIF: that may say where they were.

Pillow does it (https://pillow.readthedocs.io). All of this runs in a process of its own (`workshop`).
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PIL import ExifTags, Image, ImageDraw, ImageFont, ImageOps, ImageSequence, UnidentifiedImageError

from tasks.attachments.refusals import AttachmentTypeError, DecompressionBombError, refusing

TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
"""What is taken, by the format that the content shows."""
MOST_PIXELS: Final = 40_000_000
"""Of all frames together: 160 MB unpacked."""
SMALL: Final = (320, 320)
MOST_CHARACTERS: Final = 100_000
"""Of what is read in a file."""
MOST_OF_A_DETAIL: Final = 256
_MARK: Final = (255, 255, 255, 110)
_EDGE: Final = (0, 0, 0, 110)
_SLANT: Final = 30
_WORDS: Final = ("Title", "Description", "Comment")
"""PNG's chunks for readers (https://www.w3.org/TR/png-3/#11keywords)."""


def type_of(path: Path) -> str | None:
    """The media type by content; None where it is none of `TYPES`. DecompressionBombError by its header."""
    try:
        with _opened(path) as image:
            pixels = image.width * image.height * getattr(image, "n_frames", 1)
            if pixels > MOST_PIXELS:
                raise _bomb(pixels)
            return TYPES[str(image.format)]
    except AttachmentTypeError:
        return None


def thumbnail(path: Path, out: Path) -> None:
    """A WebP of at most 320 by 320 pixels, upright."""
    with _opened(path) as image:
        image.thumbnail(SMALL)
        _bare(image).save(out, "WEBP", quality=80)


def marked(path: Path, out: Path, words: str) -> None:
    """The picture in its own format, all its frames, with the words across."""
    with _opened(path) as image:
        frames = [_marked(frame, words) for frame in ImageSequence.Iterator(image)]
        if image.format == "JPEG":
            frames[0].convert("RGB").save(out, "JPEG", quality=88)
        elif len(frames) == 1:
            frames[0].save(out, image.format)
        else:
            timing = {name: image.info[name] for name in ("duration", "loop") if name in image.info}
            frames[0].save(out, image.format, save_all=True, append_images=frames[1:], **timing)


def read(path: Path) -> tuple[dict[str, Any], str]:
    """Its size, when and with what it was taken, and what was written into it; nothing of where it was taken."""
    with _opened(path) as image:
        exif = image.getexif()
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        described = [exif.get(ExifTags.Base.ImageDescription), *(image.info.get(name) for name in _WORDS)]
        maker = " ".join(str(exif[tag]) for tag in (ExifTags.Base.Make, ExifTags.Base.Model) if tag in exif)
        details = {
            "width": image.width,
            "height": image.height,
            "frames": getattr(image, "n_frames", 1),
            "taken_at": _moment(inner.get(ExifTags.Base.DateTimeOriginal)),
            "camera": line_of(maker),
        }
    text = "\n".join(dict.fromkeys(str(one).strip("\0 ") for one in described if one))
    return {name: value for name, value in details.items() if value is not None}, text[:MOST_CHARACTERS]


def line_of(said: object) -> str | None:
    """A detail as one short line: what is said of a file is anybody's, and as long as they like."""
    line = " ".join(str(said or "").replace("\0", " ").split())
    return line[:MOST_OF_A_DETAIL] or None


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture; what is wrong with it comes out as a refusal, but for what is no picture at all."""
    with refusing("the picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=tuple(TYPES))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _bomb(int(re.search(r"\d+", str(error))[0])) from None  # type: ignore[index] # it names them first
        except UnidentifiedImageError:
            raise AttachmentTypeError("it is no picture") from None
        with image:
            yield image


def _bomb(pixels: int) -> DecompressionBombError:
    return DecompressionBombError(f"it unpacks to {pixels:,} pixels; up to {MOST_PIXELS:,} are unpacked")


def _bare(image: Image.Image) -> Image.Image:
    """The pixels, upright, and nothing else of it."""
    ImageOps.exif_transpose(image, in_place=True)
    plain = Image.new("RGBA", image.size)
    plain.paste(image.convert("RGBA"))
    return plain


def _marked(frame: Image.Image, words: str) -> Image.Image:
    """The frame, upright, with the words across it again and again."""
    picture = _bare(frame)
    tile = _tile(words, max(10, min(picture.size) // 14))
    for top in range(0, picture.height, tile.height):
        for left in range(0, picture.width, tile.width):
            picture.alpha_composite(tile, (left, top))
    return picture


def _tile(words: str, size: int) -> Image.Image:
    """The words at a slant, with room around."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(words, stroke_width=1)
    room = 2 * size
    tile = Image.new("RGBA", (int(right - left) + room, int(bottom - top) + room))
    ImageDraw.Draw(tile).text(
        (size - left, size - top), words, fill=_MARK, font=font, stroke_width=1, stroke_fill=_EDGE
    )
    return tile.rotate(_SLANT, expand=True)


def _moment(stamp: object) -> str | None:
    """EXIF's time, of no zone, as ISO 8601; None where it is none."""
    try:
        return datetime.strptime(str(stamp), "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007 - EXIF has no zone
    except ValueError:
        return None
