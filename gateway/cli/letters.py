"""`dlq list`, `show`, `export`: dead letters to look at."""

import re
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from gateway.cli.details import print_diagnosis
from gateway.cli.errors import NotFoundError
from gateway.cli.inspect import brief
from gateway.cli.ledger import ledger_of
from gateway.cli.output import SHORT_ID, err, local, out, print_json, print_pairs, print_table, printable, usd
from ledger.dead_letters import DeadLetter, LetterFilter, letter_ids, list_letters, read_letter
from tasks.dead_letters import LONGEST, WrongFilterError, chosen, export_letters, line_of
from tasks.runtime import utc_now
from tasks.settings import load_settings

MANY: Final = 1_000
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def filtered(
    stage: str | None, error: str | None, tenant: str | None, older_than: str | None, newer_than: str | None
) -> LetterFilter:
    """The filter that the options mean; WrongFilterError where they mean none."""
    return chosen(
        stage=stage,
        error=error,
        tenant=tenant,
        older_than=None if older_than is None else age(older_than),
        newer_than=None if newer_than is None else age(newer_than),
        now=utc_now(),
    )


def age(text: str) -> timedelta:
    """`90s`, `15m`, `6h` or `7d`; WrongFilterError for anything else."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip(), re.ASCII)
    given = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None
    if given is None or given > LONGEST:
        raise WrongFilterError(
            f"{text!r} is no age: give a whole number and a unit, as in 90s, 15m, 6h or 7d, at most 36500d"
        )
    return given


def list_dead_letters(only: LetterFilter, *, as_json: bool) -> None:
    """The dead letters that fit, newest first."""
    with ledger_of(load_settings()) as ledger:
        letters = list_letters(ledger, MANY, only)
        found = len(letter_ids(ledger, only))
    if as_json:
        names = ("id", "stage", "tenant", "error", "attempts", "at", "replayed_at", "batch", "message")
        print_json([{name: getattr(one, name) for name in names} for one in letters])
    elif not letters:
        out.print("No dead letters." if only != LetterFilter() else NONE_AT_ALL)
    else:
        print_letters(letters, found)
        out.print(
            "\n`penstock dlq show LETTER` says what to do about one; `penstock dlq replay` tries again."
        )


NONE_AT_ALL: Final = "No dead letters: everything that was begun could be processed."


def print_letters(letters: Iterable[DeadLetter], found: int) -> None:
    """A line a letter."""
    rows = [(one.id[:SHORT_ID], local(one.at), one.tenant, one.stage, _what(one)) for one in letters]
    title = (
        f"Dead letters: {found:,}"
        if found == len(rows)
        else f"Dead letters: the latest {len(rows):,} of {found:,}"
    )
    print_table(title, ("letter", "when", "tenant", "stage", "what went wrong"), rows)


def _what(one: DeadLetter) -> str:
    replayed = "(replayed) " if one.replayed_at else ""
    return f"{replayed}{one.error}: {brief(one.message)}"


def show_dead_letter(letter_id: str, *, as_json: bool) -> None:
    """Everything about one dead letter."""
    with ledger_of(load_settings()) as ledger:
        letter = read_letter(ledger, letter_id)
    if letter is None:
        raise NotFoundError(f"no dead letter has the id '{letter_id}'; `penstock dlq list` shows them")
    if as_json:
        print_json(asdict(letter))
        return
    _print_letter(letter)
    print_diagnosis(letter.diagnosis)
    if letter.traceback:
        out.print(f"\n{printable(letter.traceback)}", markup=False)


def _print_letter(letter: DeadLetter) -> None:
    print_pairs(
        f"Dead letter {letter.id}",
        {
            "What": f"{letter.error}: {letter.message}",
            "When": local(letter.at),
            "Begun": local(letter.started_at) if letter.started_at else "-",
            "Replayed": local(letter.replayed_at) if letter.replayed_at else "no",
            "Stage": letter.stage,
            "Tenant": letter.tenant,
            "Batch": letter.batch or "none",
            "Of": _about(letter.payload),
            "Judged": ", ".join(letter.verdicts) or "nothing yet",
            "Attempts": letter.attempts,
            "Cost so far": usd(float(letter.cost_usd)),
            "Holds": "all that is known of it: --json shows it"
            if letter.batch is None
            else "the events, the prompt and the scores: --json shows them",
        },
    )


def _about(payload: dict[str, Any]) -> str:
    """What was worked on."""
    if "events" in payload:
        return f"{len(payload['events'])} events"
    if "attachment" in payload:
        one = payload["attachment"]
        return f"attachment {one['id']} at s3://{one['bucket']}/{one['key']}"
    return f"deliverable {payload['deliverable']}"


def export_dead_letters(path: str, only: LetterFilter) -> None:
    """Write the letters to a file, or to standard output."""
    with ledger_of(load_settings()) as ledger:
        if path != "-":
            count = export_letters(ledger, only, Path(path))
            err.print(f"{count:,} dead letters written to {path}")
            return
        for letter_id in letter_ids(ledger, only):
            if (letter := read_letter(ledger, letter_id)) is not None:
                sys.stdout.buffer.write(line_of(letter))
        sys.stdout.flush()
