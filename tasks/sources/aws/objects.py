"""Objects in S3 as sources: files of records are read as they come down, whatever they are packed with.

NDJSON, JSON and CSV, plain, gzip or zstd, a line at a time; Parquet by way of a temporary file.
"""

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, cast

import zstandard
from botocore.exceptions import BotoCoreError, ClientError

from tasks.sources.aws.clients import AwayError, GoneError, judged
from tasks.sources.aws.shapes import ObjectPlace
from tasks.sources.read import PARQUET, STREAMED, SUFFIXES
from tasks.sources.records import Limits, RawRecord
from tasks.sources.tables import read_parquet

_BLOCK: Final = 1024 * 1024
_PIECE: Final = 512
"""Of zstd, four bytes may unpack to 128 KiB."""
MOST_BYTES: Final = 8 * 1024**3
"""The largest object that is read, unpacked."""
_PACKED: Final[dict[str, Callable[[Any], BinaryIO]]] = {
    ".gz": lambda body: cast(BinaryIO, gzip.GzipFile(fileobj=body)),
    ".zst": lambda body: cast(BinaryIO, _Zstd(body)),
}


def is_records(key: str) -> bool:
    """Whether an object is, by its name, a file of records."""
    return _shape(key)[0] in SUFFIXES


def read_object(s3: Any, place: ObjectPlace, limits: Limits) -> Iterator[RawRecord]:  # noqa: ANN401 - boto3's are
    """The records of an object, lazily.

    What is wrong with its content is a record with a problem.

    Raises:
        GoneError: it is not there.
        AwayError: S3 does not answer, or stopped in the middle of it.
    """
    suffix, packing = _shape(place.key)
    body = get_object(s3, place)["Body"]
    try:
        stream = _Bounded(_PACKED[packing](body) if packing else body, MOST_BYTES)
        if suffix == PARQUET:
            yield from _by_file(stream, limits)
        else:
            yield from STREAMED[suffix](cast(BinaryIO, stream), limits)
    except (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError, _TooLargeError) as error:
        yield RawRecord(1, b"", None, f"{place} cannot be unpacked from here on: {error}")
    except (ClientError, BotoCoreError, OSError) as error:
        raise AwayError(f"{place} stopped coming: {error}") from error
    finally:
        body.close()


def fetch(s3: Any, place: ObjectPlace, most_bytes: int) -> bytes:  # noqa: ANN401 - boto3's are
    """A whole object, for what was too large for a queue.

    Raises:
        GoneError: it is not there, or it is larger than `most_bytes`.
        AwayError: S3 does not answer.
    """
    return read_whole(get_object(s3, place)["Body"], place, most_bytes)


def read_whole(body: Any, place: ObjectPlace, most_bytes: int) -> bytes:  # noqa: ANN401 - boto3's are
    """All of a body that was opened. Raises as `fetch`."""
    try:
        content = body.read(most_bytes + 1)
    except (ClientError, BotoCoreError, OSError) as error:
        raise AwayError(f"{place} stopped coming: {error}") from error
    finally:
        body.close()
    if len(content) > most_bytes:
        raise GoneError(f"{place} is larger than {most_bytes:,} bytes")
    return bytes(content)


def get_object(s3: Any, place: ObjectPlace) -> Any:  # noqa: ANN401 - boto3's are
    """What S3 answers, with the `Body` to be read and closed. Raises as `read_object`."""
    version = {} if place.version is None else {"VersionId": place.version}
    try:
        return s3.get_object(Bucket=place.bucket, Key=place.key, **version)
    except (ClientError, BotoCoreError) as error:
        raise judged(error) from error


def _shape(key: str) -> tuple[str, str | None]:
    """The suffix that says what an object holds, and the one that says how it is packed."""
    path = PurePosixPath(key.lower())
    if path.suffix in _PACKED:
        return PurePosixPath(path.stem).suffix, path.suffix
    return path.suffix, None


def _by_file(stream: "_Bounded", limits: Limits) -> Iterator[RawRecord]:
    """Parquet is read from its end."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        path = Path(folder, "object.parquet")
        with path.open("wb") as file:
            while block := stream.read(_BLOCK):
                file.write(block)
        yield from read_parquet(path, limits)


class _Zstd:
    """Unpacks frames one after the other. zstandard's own stream takes one that is cut off for a whole one.

    What goes in at once is so little that what comes out stays small, whatever it is.
    """

    def __init__(self, body: Any) -> None:  # noqa: ANN401 - boto3's
        self._body, self._rest = body, b""
        self._frame, self._has_begun = zstandard.ZstdDecompressor().decompressobj(), False

    def read(self, size: int = -1) -> bytes:
        """At least a byte, unless it is the end. EOFError where the last frame has none."""
        out = bytearray()
        while len(out) < max(size, 1):
            piece = self._rest or self._body.read(_PIECE)
            self._rest = b""
            if not piece:
                if self._has_begun and not out:
                    raise EOFError("its last frame is cut off")
                break
            out += self._unpacked(piece)
        return bytes(out)

    def _unpacked(self, piece: bytes) -> bytes:
        out = self._frame.decompress(piece)
        self._has_begun = True
        if self._frame.eof:
            self._rest = self._frame.unused_data
            self._frame, self._has_begun = zstandard.ZstdDecompressor().decompressobj(), False
        return out


class _TooLargeError(Exception):
    """More comes out of an object than is read."""


class _Bounded:
    """A stream of which no more than so many bytes are read: a small object may unpack to a very large one."""

    def __init__(self, stream: Any, most: int) -> None:  # noqa: ANN401 - gzip's, zstandard's, boto3's
        self._stream, self._left = stream, most

    def read(self, size: int = -1) -> bytes:
        """The next bytes; nothing at the end."""
        block = bytes(self._stream.read(_BLOCK if size is None or size < 0 else size))
        self._left -= len(block)
        if self._left < 0:
            raise _TooLargeError(f"it is larger than {MOST_BYTES:,} bytes")
        return block
