"""Stack frames as text: which files, which lines, and the source around them.

Paths are shortened, ours relative to the project's root and others' from their package on, so that no home
folder shows.
"""

import linecache
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final

from tasks.diagnosis.redact import redact
from tasks.diagnosis.safely import shielded

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
LAST_FRAMES: Final = 8
AROUND: Final = 5

_LARGEST_SOURCE_BYTES: Final = 400_000
_LARGEST_LINE_CHARS: Final = 160
_INSTALLED: Final = ("site-packages/", "dist-packages/", "/lib/python")
_OURS: Final = frozenset(
    {"contracts", "ledger", "flywheel", "evaluation", "tasks", "flows", "deployments", "gateway", "tests"}
)


@dataclass(frozen=True)
class SourceLine:
    """A line of source with its 1-based number."""

    number: int
    text: str


@dataclass(frozen=True)
class Frame:
    """A place in a stack. `path` is where Python found it; `file` how it is shown."""

    path: str
    line: int
    function: str
    secrets: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """True for code of this project, False for installed packages and the standard library."""
        return _inside(self.path, PROJECT_ROOT) is not None

    @property
    def file(self) -> str:
        """The shortened path."""
        return short_path(self.path)

    @cached_property
    def excerpt(self) -> tuple[SourceLine, ...]:
        """The failing line with up to 5 lines on either side; empty where the source cannot be had."""
        lines = _source(self.path, self.secrets)
        first = max(self.line - AROUND, 1)
        shown = lines[first - 1 : self.line + AROUND] if self.line <= len(lines) else []
        return tuple(SourceLine(first + at, text[:_LARGEST_LINE_CHARS]) for at, text in enumerate(shown))

    @property
    def code(self) -> str:
        """The failing line alone, or nothing."""
        return next((line.text.strip() for line in self.excerpt if line.number == self.line), "")

    def __str__(self) -> str:
        where = f"{self.file}:{self.line} in {self.function}"
        return f"{where}: {self.code}" if self.code else where


def frames_of(trace: TracebackType | None, secrets: tuple[str, ...]) -> tuple[Frame, ...]:
    """The last frames of a traceback, outermost first; none for None."""
    last: deque[TracebackType] = deque(maxlen=LAST_FRAMES)
    while trace is not None:
        last.append(trace)
        trace = trace.tb_next
    return tuple(_frame(step, secrets) for step in last)


def short_path(path: str, root: Path = PROJECT_ROOT) -> str:
    """`path` relative to `root`, or from its installed package on, or its last two parts."""
    inside = _inside(path, root)
    if inside is not None:
        return inside
    slashed = path.replace("\\", "/")
    for mark in _INSTALLED:
        if mark in slashed:
            return slashed.rpartition(mark)[2].lstrip(".0123456789/")
    return "/".join(slashed.rsplit("/", 2)[-2:])


def excerpts(frames: Iterable[Frame]) -> str:
    """Numbered source around every frame's line, the line itself marked; a note where there is none."""
    return "\n\n".join(_excerpt(frame) for frame in frames)


def _frame(step: TracebackType, secrets: tuple[str, ...]) -> Frame:
    code = step.tb_frame.f_code
    return Frame(
        redact(code.co_filename, secrets), step.tb_lineno or 0, redact(code.co_name, secrets), secrets
    )


def _inside(path: str, root: Path) -> str | None:
    """`path` relative to `root` where it is one of our packages; `root` may also hold an environment."""
    slashed, start = path.replace("\\", "/"), f"{root.as_posix()}/"
    relative = slashed.removeprefix(start)
    is_ours = slashed.startswith(start) and relative.partition("/")[0] in _OURS
    return relative if is_ours else None


def _source(path: str, secrets: tuple[str, ...]) -> list[str]:
    """A file's lines, redacted as a whole so that a secret over several lines goes too."""
    text = shielded(lambda: "".join(linecache.getlines(path)) if _is_source(path) else "", "")
    return redact(text, secrets).split("\n") if text else []


def _is_source(path: str) -> bool:
    """True for what may be read: not a device that never ends, not a file of many megabytes."""
    file = Path(path)
    return path in linecache.cache or (file.is_file() and file.stat().st_size <= _LARGEST_SOURCE_BYTES)


def _excerpt(frame: Frame) -> str:
    heading = f"{frame.file}:{frame.line} in {frame.function}"
    if not frame.excerpt:
        return f"{heading}\n  (source not available)"
    rows = (
        f"{'>' if line.number == frame.line else ' '} {line.number:>5} | {line.text}"
        for line in frame.excerpt
    )
    return "\n".join((heading, *rows))
