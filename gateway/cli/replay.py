"""`dlq replay` and `dlq purge`: shown first, then asked, then done."""

import sys
from dataclasses import replace

from contracts.errors import OperatorError
from gateway.cli.errors import NotFoundError
from gateway.cli.interrupt import run_until_stopped
from gateway.cli.ledger import ledger_of
from gateway.cli.letters import print_letters
from gateway.cli.output import err, out, print_json
from ledger.dead_letters import DeadLetter, LetterFilter, letter_ids, purge_letter, read_letter
from ledger.engine import Ledger
from tasks.dead_letters import WrongFilterError, replay_paced
from tasks.runtime import utc_now
from tasks.settings import load_settings

SHOWN = 20


class NotConfirmedError(OperatorError):
    """Nobody is there to be asked."""


def run_replay(
    letters: list[str], only: LetterFilter, *, per_minute: float, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Replay the letters named, or those that fit and were not replayed before."""
    with ledger_of(load_settings()) as ledger:
        ids = _chosen(ledger, letters, replace(only, replayed=False))
        if ids:
            _show(ledger, ids, as_json=as_json)
        if dry_run:
            said = f"{len(ids):,} dead letters would be replayed."
            _say({"would_replay": list(ids)}, said, as_json=as_json)
            return
        if ids:
            confirm(f"Replay {len(ids):,} dead letters, at most {per_minute:g} a minute?", yes=yes)
        done: dict[str, bool] = {}
        run_until_stopped(_replay(ledger, ids, per_minute, done))
    gone = [one for one, has_gone in done.items() if has_gone]
    _say({"replayed": gone}, _said(len(gone), len(ids), are_named=bool(letters)), as_json=as_json)


def _said(went: int, of: int, *, are_named: bool) -> str:
    if not of:
        return (
            "Nothing to replay: replayed before." if are_named else "Nothing to replay: no dead letter fits."
        )
    left = "" if went == of else "; the others had gone on by other means"
    return f"{went:,} of {of:,} dead letters replayed{left}. `penstock run` works them off."


async def _replay(ledger: Ledger, ids: tuple[str, ...], per_minute: float, done: dict[str, bool]) -> None:
    async for letter, has_gone in replay_paced(ledger, ids, per_minute=per_minute, clock=utc_now):
        done[letter] = has_gone
        err.print(
            f"{letter}  {'replayed' if has_gone else 'nothing to replay'}  {len(done):,} of {len(ids):,}"
        )


def run_purge(letters: list[str], only: LetterFilter, *, yes: bool, as_json: bool) -> None:
    """Remove the letters named, or those that fit."""
    with ledger_of(load_settings()) as ledger:
        ids = _chosen(ledger, letters, only)
        if ids:
            _show(ledger, ids, as_json=as_json)
            confirm(f"Remove {len(ids):,} dead letters for good?", yes=yes)
        removed = [one for one in ids if purge_letter(ledger, one)]
    _say({"purged": removed}, f"{len(removed):,} dead letters removed.", as_json=as_json)


def _chosen(ledger: Ledger, letters: list[str], only: LetterFilter) -> tuple[str, ...]:
    """The full ids of the letters named, or of those that fit, oldest first; what may not be replayed is left out."""
    if not letters:
        return letter_ids(ledger, only)
    if replace(only, replayed=None) != LetterFilter():
        raise WrongFilterError(
            "name letters, or filter them by --stage, --error, --tenant and age, but not both"
        )
    named = [_named(ledger, one) for one in letters]
    return tuple(
        one.id for one in named if only.replayed is None or (one.replayed_at is not None) is only.replayed
    )


def _named(ledger: Ledger, letter: str) -> DeadLetter:
    found = read_letter(ledger, letter)
    if found is None:
        raise NotFoundError(f"no dead letter has the id '{letter}'; `penstock dlq list` shows them")
    return found


def _show(ledger: Ledger, ids: tuple[str, ...], *, as_json: bool) -> None:
    if not as_json:
        print_letters([_named(ledger, one) for one in ids[:SHOWN]], len(ids))


def confirm(question: str, *, yes: bool) -> None:
    """Go on, or end: nothing is done that nobody has agreed to."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmedError(f"{question} Nobody is here to answer; add --yes to do it without asking")
    err.print(f"\n{question} [y/N] ", end="", markup=False)
    if input().strip().lower() not in {"y", "yes"}:
        err.print("Nothing was done.")
        raise SystemExit(0)


def _say(machine: dict[str, list[str]], person: str, *, as_json: bool) -> None:
    if as_json:
        print_json(machine)
    else:
        out.print(person)
