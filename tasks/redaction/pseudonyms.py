"""Users under redaction: a keyed pseudonym stands for each, the same for ever, and only the key can tell whose.

Every user gets one, for no rule can tell that `asmith` is a person and `u-7` is none.
"""

import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

KEY_FILE: Final = "redaction.key"
_PSEUDONYM: Final = re.compile(r"user-[0-9a-f]{32}")
_KEY_BYTES: Final = 32


@dataclass(frozen=True)
class Pseudonyms:
    """What the installation's key makes of users, and of hashes that could otherwise be guessed at."""

    key: bytes = field(repr=False)

    def of(self, user: str) -> str:
        """The pseudonym of a user; a pseudonym is its own."""
        return user if _PSEUDONYM.fullmatch(user) else f"user-{self.keyed(user.encode(), b'user').hex()}"

    def keyed(self, content: bytes, purpose: bytes) -> bytes:
        """16 bytes that say nothing without the key, and differ from purpose to purpose."""
        return blake2b(content, key=self.key, person=purpose, digest_size=16).digest()


def has_key(home: Path) -> bool:
    """Whether redaction was ever on in this installation, with a key of its own making."""
    return (home / KEY_FILE).exists()


def load_key(home: Path) -> bytes:
    """The installation's key under `home`; made when there is none, by one of all processes that begin at once."""
    path = home / KEY_FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        _make_key(path)
    return bytes.fromhex(path.read_text())


def _make_key(path: Path) -> None:
    """Whole or not at all, and readable by its owner only; where another process was first, its key stays."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=KEY_FILE)
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_hex(_KEY_BYTES))
    try:
        Path(path).hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        Path(draft).unlink()
