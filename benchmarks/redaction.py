"""`python -m benchmarks.redaction`: what redaction finds, what it leaves and what it costs; `--write` publishes it.

Texts and spans are those of the benchmark pack beside the checkout; without it there is nothing to measure.
"""

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scipy.stats import binomtest

from benchmarks.machine import machine
from tasks.redaction.finder import Finder, load_finder
from tasks.redaction.findings import Finding, merged
from tasks.redaction.pseudonyms import Pseudonyms
from tasks.redaction.redactor import Redactor

DATA: Final = Path(__file__).parents[2] / "shared" / "data" / "full" / "pii" / "synth_v2_dev.ndjson"
TEMPLATE: Final = Path(__file__).with_suffix(".template.md")
REPORT: Final = Path(__file__).parents[1] / "docs" / "redaction.md"
NOT_LOOKED_FOR: Final = frozenset({"GPE", "ORGANIZATION", "NRP", "DATE_TIME", "TITLE"})
TUNED_SHARE: Final = 0.7
EVENTS: Final = 1_000
SCRUBBED: Final = ("feedback_nhs", "feedback_cfpb", "surveys_jupyter_2015", "alerts_kev")
SAMPLE: Final = 200


@dataclass
class Tally:
    """Spans and findings counted by kind, and letters and digits by where they stand."""

    spans: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, spans: Sequence[dict[str, Any]], found: Sequence[Finding]) -> None:
        """One text."""
        replaced = _places(text, ((one.start, one.end) for one in found))
        for span in spans:
            self.spans[span["type"]] += 1
            self.covered[span["type"]] += _places(text, [(span["start"], span["end"])]) <= replaced
        for one in found:
            self.findings[one.entity] += 1
            self.right[one.entity] += any(
                one.start < span["end"] and one.end > span["start"] for span in spans
            )
        self._add_characters(text, spans, replaced)

    def _add_characters(self, text: str, spans: Sequence[dict[str, Any]], replaced: set[int]) -> None:
        marked = _places(text, ((span["start"], span["end"]) for span in spans))
        wanted = _places(
            text, ((span["start"], span["end"]) for span in spans if span["type"] not in NOT_LOOKED_FOR)
        )
        self.characters.update(
            wanted=len(wanted),
            wanted_replaced=len(wanted & replaced),
            replaced=len(replaced),
            replaced_marked=len(replaced & marked),
        )


def _places(text: str, spans: Iterable[tuple[int, int]]) -> set[int]:
    """Where the letters and digits of some spans stand: what is lost of a comma between them tells nobody anything."""
    return {at for start, end in spans for at in range(start, end) if text[at].isalnum()}


def tally(rows: Iterable[dict[str, Any]], find: Finder) -> Tally:
    """The counts over texts."""
    counts = Tally()
    for row in rows:
        counts.add(row["text"], row["spans"], merged(find(row["text"])))
    return counts


def read_rows() -> list[dict[str, Any]]:
    """The texts with their spans."""
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


def tuned_templates(rows: Iterable[dict[str, Any]]) -> set[int]:
    """The templates whose texts the patterns were tuned on; the others were held out."""
    templates = sorted({row["template"] for row in rows})
    random.Random(7).shuffle(templates)  # noqa: S311, a split and no secret
    return set(templates[: int(len(templates) * TUNED_SHARE)])


def table(right: Counter[str], of: Counter[str]) -> str:
    """A row for each kind, those that are not looked for last."""
    kinds = sorted(of, key=lambda kind: (kind in NOT_LOOKED_FOR, -of[kind], kind))
    return "\n".join(_row(kind, right[kind], of[kind]) for kind in kinds)


def _row(kind: str, right: int, of: int) -> str:
    interval = binomtest(right, of).proportion_ci(method="wilson")
    name = f"{kind} (not looked for)" if kind in NOT_LOOKED_FOR else kind
    return f"| {name} | {right:,} | {of:,} | {right / of:.3f} | ({interval.low:.3f} to {interval.high:.3f}) |"


def needless(find: Finder) -> str:
    """A row for each kind of real text: findings in events whose publishers had removed what is personal."""
    rows = []
    for name in SCRUBBED:
        lines = (DATA.parents[1] / "events" / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()
        texts = [
            text
            for line in random.Random(7).sample(lines, SAMPLE)  # noqa: S311, a sample and no secret
            for text in _texts(json.loads(line)["data"])
        ]
        found = Counter(one.entity for text in texts for one in merged(find(text)))
        kinds = ", ".join(f"{kind} {count}" for kind, count in found.most_common())
        rows.append(f"| {name} | {SAMPLE} | {sum(map(len, texts)):,} | {found.total()} | {kinds} |")
    return "\n".join(rows)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def speed(rows: Sequence[dict[str, Any]], redactor: Redactor) -> dict[str, float]:
    """Events a second into a fresh ledger, without redaction and with."""
    with tempfile.TemporaryDirectory(prefix="penstock-redaction-") as folder:
        source = Path(folder, "events.ndjson")
        source.write_text("\n".join(json.dumps(_event(number, rows)) for number in range(EVENTS)))
        plain = _events_per_s(source, Path(folder, "plain.db"), None)
        redacted = _events_per_s(source, Path(folder, "redacted.db"), redactor)
    return {"plain": plain, "redacted": redacted, "ratio": plain / redacted}


def _event(number: int, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    text = rows[number % len(rows)]["text"]
    names = {"id": str(number), "source": "bench", "type": "feedback.submitted", "tenant": "acme"}
    return names | {"user": f"user {number % 100}", "data": {"text": text}}


def _events_per_s(source: Path, ledger: Path, redactor: Redactor | None) -> float:
    from ledger.engine import close_ledger, open_ledger
    from tasks.sources.intake import ingest
    from tasks.sources.mapper import Mapper
    from tasks.sources.mapping import load_mapping

    opened = open_ledger(f"sqlite:///{ledger}")
    started = time.perf_counter()
    ingest(opened, [source], Mapper(load_mapping()), now=lambda: datetime.now(UTC), redactor=redactor)
    wall = time.perf_counter() - started
    close_ledger(opened)
    return EVENTS / wall


def report() -> str:
    """`docs/redaction.md`, every figure from this run."""
    rows = read_rows()
    started = time.perf_counter()
    find = load_finder()
    load_s = time.perf_counter() - started
    tuned = tuned_templates(rows)
    held_rows = [row for row in rows if row["template"] not in tuned]
    every, held = tally(rows, find), tally(held_rows, find)
    letters = every.characters
    return TEMPLATE.read_text(encoding="utf-8").format(
        texts=len(rows),
        spans=every.spans.total(),
        recall=table(every.covered, every.spans),
        precision=table(every.right, every.findings),
        character_recall=letters["wanted_replaced"] / letters["wanted"],
        character_precision=letters["replaced_marked"] / letters["replaced"],
        held=table(held.covered, held.spans),
        needless=needless(find),
        sample=SAMPLE,
        held_texts=len(held_rows),
        templates=len({row["template"] for row in rows}),
        tuned_templates=len(tuned),
        events=EVENTS,
        load_s=load_s,
        **speed(rows, Redactor(find, Pseudonyms(b"bench"))),
        **machine(),
    )


def main() -> None:
    """Print the page, or write it."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.redaction", description=__doc__)
    asked.add_argument("--write", action="store_true", help=f"write docs/{REPORT.name}")
    given = asked.parse_args()
    if not DATA.is_file():
        print(f"skipped: {DATA.name} of the benchmark pack is not beside this checkout")
        return
    page = report()
    if given.write:
        REPORT.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
