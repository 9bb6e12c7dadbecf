"""What an operator says about attachments: where results go, what is never taken, the words of the mark."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.attachments import Attachment
from contracts.errors import OperatorError
from tasks.settings import Settings

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LATIN: Final = re.compile(r"[\x20-\x7e\xa0-\xff]+")


class DenylistError(OperatorError):
    """The denylist cannot be read, or a line of it is no hash."""


@dataclass(frozen=True, slots=True)
class AttachmentRules:
    """`results` and `topic` as their settings; `denied` are SHA-256 hashes; `{tenant}` in `mark` is the tenant."""

    results: str | None
    topic: str | None
    mark: str
    denied: frozenset[str]

    def words(self, one: Attachment) -> str:
        """What its marked copy says; its id where the font has not all of the letters."""
        words = self.mark.replace("{tenant}", one.tenant)
        return words if _LATIN.fullmatch(words) else one.id


def rules_of(settings: Settings) -> AttachmentRules:
    """The rules in force. DenylistError where the list is not as it should be: nothing passes it by mistake."""
    path = settings.attachments_denylist
    denied = frozenset[str]() if path is None else read_denylist(path)
    return AttachmentRules(
        settings.attachments_to, settings.attachments_topic, settings.attachments_mark, denied
    )


def read_denylist(path: Path) -> frozenset[str]:
    """A SHA-256 in hexadecimal digits to a line, as `sha256sum` writes it; `#` begins what is for readers."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DenylistError(f"PENSTOCK_ATTACHMENTS_DENYLIST: {path} cannot be read: {error}") from error
    said = {number: line.partition("#")[0].split() for number, line in enumerate(lines, start=1)}
    hashes = {number: words[0].lower() for number, words in said.items() if words}
    for number, one in hashes.items():
        if not _HASH.fullmatch(one):
            raise DenylistError(
                f"PENSTOCK_ATTACHMENTS_DENYLIST: line {number} of {path} begins with {one[:80]!r}, "
                "which is no SHA-256: 64 hexadecimal digits"
            )
    return frozenset(hashes.values())
