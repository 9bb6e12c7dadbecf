"""`penstock review`: items drawn for people, and what they say of them."""

from typing import Annotated

import typer

review = typer.Typer(
    help="What people say of items: draw, next, give, import, judge.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys instead of tables.")]
Reviewer = Annotated[str, typer.Option(help="Who reviews.")]


@review.command("draw")
def draw(
    size: Annotated[int, typer.Option(min=1, max=100_000, help="How many items.")] = 50,
    disagreement: Annotated[
        bool,
        typer.Option("--disagreement", help="Of what judge and people disagree about, instead of by chance."),
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed draws the same items.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Draw items for review, by chance from all that were judged.

    Only what was drawn by chance says anything of all items: the two kinds are kept apart.
    """
    from gateway.cli.reviewing import run_draw

    run_draw(size, disagreement=disagreement, seed=seed, as_json=as_json)


@review.command("next")
def show_next(
    reviewer: Reviewer, count: Annotated[int, typer.Option(min=1, max=100)] = 1, as_json: AsJson = False
) -> None:
    """Show what was drawn and this person has not reviewed yet."""
    from gateway.cli.reviewing import run_next

    run_next(reviewer, count, as_json=as_json)


@review.command("give")
def give(
    batch: Annotated[str, typer.Argument(help="The batch's id.")],
    item: Annotated[str, typer.Argument(help="The item's name in it, as `review next` shows it.")],
    verdict: Annotated[str, typer.Argument(help="accept, edit or reject.")],
    reviewer: Reviewer,
    score: Annotated[list[str] | None, typer.Option(help="A criterion's score, as tone=0.8.")] = None,
    comment: Annotated[str | None, typer.Option(help="Why.")] = None,
    edited: Annotated[str | None, typer.Option(help="A file with the text as it should be.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is to become of an item. A person reviews an item once."""
    from gateway.cli.reviewing import run_give

    run_give((batch, item, verdict, reviewer), score or [], comment, edited, as_json=as_json)


@review.command("import")
def take_in(
    path: Annotated[str, typer.Argument(help="A CSV file: batch,item,reviewer,verdict and more.")],
    as_json: AsJson = False,
) -> None:
    """Take in reviews from a CSV file; what is none is told by its line, and the others are taken."""
    from gateway.cli.reviewing import run_import

    run_import(path, as_json=as_json)


@review.command("judge")
def judge(
    bad_pass: Annotated[float | None, typer.Option(help="What a bad item that passes costs, in USD.")] = None,
    needless_fail: Annotated[
        float | None, typer.Option(help="What a good item that fails costs, in USD.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how good the judge is, and the true pass rates, each with a 95 % interval.

    By the items that were drawn by chance and reviewed. With both costs, which thresholds would cost least.
    """
    from gateway.cli.judging import run_judge

    run_judge(bad_pass, needless_fail, as_json=as_json)
