"""Files that appear whole or not at all: a temporary name beside the target, fsync, rename."""

import os
import threading
from pathlib import Path


def temporary(path: Path) -> Path:
    """A name beside `path` that no other process or thread uses and no `*.parquet` pattern matches."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, folders included; OSError leaves what was there untouched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = temporary(path)
    try:
        draft.write_bytes(data)
        put_in_place(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def put_in_place(draft: Path, path: Path) -> None:
    """Make `draft` durable and rename it to `path`, on the same filesystem, replacing what was there."""
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def point(link: Path, target: Path) -> None:
    """Make `link` a relative symbolic link to `target`, replacing what was there in one step."""
    link.parent.mkdir(parents=True, exist_ok=True)
    draft = temporary(link)
    draft.unlink(missing_ok=True)
    draft.symlink_to(os.path.relpath(target, link.parent))
    draft.replace(link)
    _sync(link.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
