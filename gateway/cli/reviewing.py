"""`review draw`, `next`, `give`, `import`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from contracts.content import GENERATED
from contracts.errors import OperatorError
from contracts.reviews import Review, ReviewVerdict, SampleKind
from gateway.cli.errors import ExitCode
from gateway.cli.ledger import ledger_of
from gateway.cli.output import out, print_json, print_markdown, print_pairs, print_table
from ledger.reviews import ReviewedBeforeError, UnknownItemError, draw_sample, record_review, to_review
from tasks.render import markdown
from tasks.review_files import NoReview, read_reviews
from tasks.runtime import utc_now
from tasks.settings import load_settings

SHOWN = 20


class NoReviewError(OperatorError):
    """What was given is no review; the message says what is wrong with it."""


def run_draw(size: int, *, disagreement: bool, seed: int, as_json: bool) -> None:
    """Draw, and say how many there were."""
    kind = SampleKind.DISAGREEMENT if disagreement else SampleKind.RANDOM
    with ledger_of(load_settings()) as ledger:
        drawn = draw_sample(ledger, kind, size, seed, utc_now())
    if as_json:
        print_json({"kind": kind.value, "drawn": drawn})
        return
    out.print(f"{drawn:,} items were drawn; `penstock review next --reviewer NAME` shows them")


def run_next(reviewer: str, count: int, *, as_json: bool) -> None:
    """What a person is to review, as its reader would get it; not what the judge says, which would sway them."""
    with ledger_of(load_settings()) as ledger:
        found = to_review(ledger, reviewer, count)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        out.print("Nothing is to be reviewed; `penstock review draw` draws more.")
    for one in found:
        print_pairs(f"{one.kind}: {one.form}", {"Batch": one.batch, "Item": one.item, "Tenant": one.tenant})
        print_markdown(markdown(GENERATED[one.output_type].model_validate_json(orjson.dumps(one.content))))


def run_give(
    said: tuple[str, str, str, str],
    scores: list[str],
    comment: str | None,
    edited: str | None,
    *,
    as_json: bool,
) -> None:
    """Keep one review."""
    batch, item, verdict, reviewer = said
    try:
        given = Review(
            batch=batch,
            item=item,
            reviewer=reviewer,
            verdict=ReviewVerdict(verdict.lower()),
            scores=dict(_score(one) for one in scores),
            comment=comment,
            edited=None if edited is None else Path(edited).read_text(encoding="utf-8"),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise NoReviewError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise NoReviewError(str(error)) from error
    with ledger_of(load_settings()) as ledger:
        record_review(ledger, given, utc_now())
    if as_json:
        print_json(given.model_dump(mode="json"))
    else:
        out.print(f"{given.reviewer} has reviewed {given.item}: {given.verdict}", markup=False)


def run_import(path: str, *, as_json: bool) -> None:
    """Keep every review of a file; exit code 1 where a line was none."""
    refused: list[NoReview] = []
    taken = 0
    with ledger_of(load_settings()) as ledger:
        for one in read_reviews(Path(path)):
            if isinstance(one, NoReview):
                refused.append(one)
                continue
            line, given = one
            try:
                record_review(ledger, given, utc_now())
                taken += 1
            except (UnknownItemError, ReviewedBeforeError) as error:
                refused.append(NoReview(line, str(error)))
    if as_json:
        print_json({"taken": taken, "refused": [one._asdict() for one in refused]})
    else:
        out.print(f"{taken:,} reviews were taken in, {len(refused):,} lines were not")
        if refused:
            rows = [(one.line, one.why) for one in refused[:SHOWN]]
            print_table(f"Not taken: the first {len(rows)}", ("line", "why"), rows)
    if refused:
        raise SystemExit(int(ExitCode.ATTENTION))


def _score(text: str) -> tuple[str, float]:
    """`tone=0.8`; ValueError for anything else."""
    name, separator, number = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r} is no score: give a criterion and a number, as tone=0.8")
    value: Any = number.strip()
    return name.strip(), float(value)
