"""Reviews from CSV: a line each, `batch,item,reviewer,verdict` and, where there are any, `comment`, `edited`, scores.

A column whose name is a criterion holds its scores, 0 to 1. A line that is no review is refused with its reason, and
the others are taken.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from contracts.errors import OperatorError
from contracts.reviews import Review, ReviewVerdict

NEEDED: Final = ("batch", "item", "reviewer", "verdict")
OTHERS: Final = ("comment", "edited")


class ReviewFileError(OperatorError):
    """The file cannot be read as reviews at all."""


class NoReview(NamedTuple):
    """A line that is none, and why."""

    line: int
    why: str


def read_reviews(path: Path) -> Iterator[tuple[int, Review] | NoReview]:
    """Each line, by its number. ReviewFileError where the file is not there, no text, or lacks a column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            missing = [name for name in NEEDED if name not in (rows.fieldnames or ())]
            if missing:
                raise ReviewFileError(
                    f"{path} has no column {', '.join(missing)}; it begins with {','.join(NEEDED)}"
                )
            for row in rows:
                yield _read(rows.line_num, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReviewFileError(f"{path} cannot be read as CSV: {error}") from error


def _read(line: int, row: dict[str | None, str | None]) -> tuple[int, Review] | NoReview:
    given = {
        name: said.strip() for name, said in row.items() if isinstance(name, str) and isinstance(said, str)
    }
    try:
        scores = {
            name: float(said) for name, said in given.items() if name not in {*NEEDED, *OTHERS} and said
        }
        return line, Review(
            batch=given["batch"],
            item=given["item"],
            reviewer=given["reviewer"],
            verdict=ReviewVerdict(given["verdict"].lower()),
            scores=scores,
            comment=given.get("comment") or None,
            edited=given.get("edited") or None,
        )
    except KeyError as error:
        return NoReview(line, f"it ends before the column {error}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return NoReview(line, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except ValueError as error:
        return NoReview(line, str(error))
