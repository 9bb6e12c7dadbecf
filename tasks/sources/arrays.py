"""JSON files: an array of objects, `{"events": [...]}`, one object, or objects one after another.

The text is cut into elements by a scanner that knows strings and brackets and nothing else, so a file of any
size is read in bounded memory and one broken element does not stop the others. Whether an element is valid
JSON is decided afterwards, by the same decoder as for NDJSON.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from tasks.sources.records import MARK, Limits, RawRecord, decode, too_large

_CHUNK_BYTES: Final = 256 * 1024
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_STRING_END: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WRAPPER: Final = re.compile(rb'"events"\s*:\s*\Z')
_WRAPPER_BYTES: Final = 64
_UNCLOSED: Final = "the file ends before its JSON does"


def read_json(stream: BinaryIO, limits: Limits) -> Iterator[RawRecord]:
    """One record an element; `line` is the element's number."""
    splitter = _Splitter(limits.record_bytes + 1)
    line = 0
    chunk = stream.read(_CHUNK_BYTES).removeprefix(MARK)
    while chunk:
        for text in splitter.feed(chunk):
            line += 1
            yield _record(line, text, limits)
        chunk = stream.read(_CHUNK_BYTES)
    rest = splitter.rest
    if rest and splitter.is_at_element:
        line += 1
        yield _record(line, rest, limits)
        rest = b""
    if splitter.is_open:
        yield RawRecord(line + 1, rest[: limits.record_bytes], None, _UNCLOSED)


def _record(line: int, text: bytes, limits: Limits) -> RawRecord:
    return decode(line, text) if len(text) <= limits.record_bytes else too_large(line, text, limits)


class _Splitter:
    """Cuts a stream of JSON text into elements, each kept up to `keep` bytes.

    `_depth` counts open brackets. `_base` is the depth at which elements stand: 0 for objects by themselves,
    1 inside an array, 2 inside `{"events": [`, None after that array, where nothing more is expected.
    `_text` is the element so far; `_start` is where in the present chunk it goes on.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._depth = 0
        self._base: int | None = 0
        self._text = bytearray()
        self._start = 0
        self._done: list[bytes] = []
        self._in_string = False
        self._is_escaped = False

    @property
    def is_open(self) -> bool:
        """Whether a bracket or string still has to be closed."""
        return self._depth > 0 or self._in_string

    @property
    def is_at_element(self) -> bool:
        """Whether every bracket inside the present element is closed."""
        return self._depth == self._base and not self._in_string

    @property
    def rest(self) -> bytes:
        """The text after the last element that was closed."""
        return bytes(self._text).strip()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The elements that end in this chunk."""
        self._start = 0
        for token in _TOKEN.finditer(chunk, self._skip_string(chunk, 0)):
            match token[0]:
                case b"[" | b"{" as bracket:
                    self._open(chunk, token.start(), bracket)
                case b"]" | b"}":
                    self._close(chunk, token.start())
                case b"," if self._depth == self._base:
                    self._emit(chunk, token.start())
                    self._start = token.end()
                case b'"':
                    self._in_string = True
                    self._skip_string(chunk, token.end())
                    break
        self._take(chunk, len(chunk))
        done, self._done = self._done, []
        return done

    def _skip_string(self, chunk: bytes, at: int) -> int:
        """The position after the string that is open at `at`; the chunk's end where it goes on beyond."""
        if not self._in_string:
            return at
        at += self._is_escaped
        if end := _STRING_END.match(chunk, at):
            self._in_string = self._is_escaped = False
            return end.end()
        tail = chunk[at:]
        self._is_escaped = (len(tail) - len(tail.rstrip(b"\\"))) % 2 == 1
        return len(chunk)

    def _open(self, chunk: bytes, at: int, bracket: bytes) -> None:
        if bracket == b"[" and self._base == 0 and self._begins_elements(chunk, at):
            self._drop(at + 1)
            self._base = self._depth + 1
        self._depth += 1

    def _begins_elements(self, chunk: bytes, at: int) -> bool:
        if self._depth == 0:
            return not self._text.strip() and not chunk[self._start : at].strip()
        before = bytes(self._text[-_WRAPPER_BYTES:]) + chunk[max(self._start, at - _WRAPPER_BYTES) : at]
        return self._depth == 1 and _WRAPPER.search(before) is not None

    def _close(self, chunk: bytes, at: int) -> None:
        if self._depth == 0:
            return  # a bracket too many stays in the element's text, which then is not valid JSON
        self._depth -= 1
        if self._base is None:
            self._after_events(at)
        elif self._depth < self._base:
            self._emit(chunk, at)
            self._start = at + 1
            self._base = None if self._depth else 0
        elif self._depth == self._base == 0:
            self._emit(chunk, at + 1)

    def _after_events(self, at: int) -> None:
        if self._depth == 0:
            self._drop(at + 1)
            self._base = 0

    def _emit(self, chunk: bytes, end: int) -> None:
        self._take(chunk, end)
        if text := self.rest:
            self._done.append(text)
        self._text.clear()

    def _take(self, chunk: bytes, end: int) -> None:
        room = self._keep - len(self._text)
        self._text += chunk[self._start : min(end, self._start + room)]
        self._start = end

    def _drop(self, start: int) -> None:
        self._text.clear()
        self._start = start
