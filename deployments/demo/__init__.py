"""The demonstration: sample events that ship with the project, ready to be ingested.

`README.md` says what is inside and what is wrong on purpose.
"""

from pathlib import Path
from typing import Final

SAMPLE_EVENTS: Final[Path] = Path(__file__).resolve().parent / "events"
"""Folder of `events.ndjson` (the main file), `late_arrivals.csv` and `documents.json`."""
