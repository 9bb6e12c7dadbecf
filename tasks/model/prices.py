"""The dated price table: what a call costs, exactly, in USD."""

import tomllib
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.calls import Usage
from contracts.errors import OperatorError

_PER_TOKENS = Decimal(1_000_000)

Rate = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class PriceError(OperatorError):
    """A price is missing or wrong; the message says which and where to put it."""


class Price(BaseModel):
    """One model's rates, USD per million tokens, from a day on.

    Where `long_prompt_tokens` is given, a request whose prompt (uncached, written and read tokens together)
    is longer than that pays the `long_*` rates for every token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    from_: date = Field(alias="from")
    input: Rate
    output: Rate
    cache_write: Rate
    cache_read: Rate
    long_prompt_tokens: int | None = Field(None, gt=0)
    long_input: Rate = Decimal(0)
    long_output: Rate = Decimal(0)
    long_cache_write: Rate = Decimal(0)
    long_cache_read: Rate = Decimal(0)

    def cost(self, usage: Usage) -> Decimal:
        """USD for one request."""
        prompt = usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens
        rates = (self.input, self.output, self.cache_write, self.cache_read)
        if self.long_prompt_tokens is not None and prompt > self.long_prompt_tokens:
            rates = (self.long_input, self.long_output, self.long_cache_write, self.long_cache_read)
        tokens = (usage.input_tokens, usage.output_tokens, usage.cache_write_tokens, usage.cache_read_tokens)
        return (
            sum((rate * count for rate, count in zip(rates, tokens, strict=True)), Decimal(0)) / _PER_TOKENS
        )


class PriceTable(BaseModel):
    """All known prices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price: tuple[Price, ...]

    def at(self, model: str, day: date) -> Price:
        """The newest price of `model` in force on `day`; `PriceError` when there is none."""
        known = [row for row in self.price if row.model == model and row.from_ <= day]
        if not known:
            raise PriceError(
                f"no price for model '{model}' on {day}: add its [[price]] row to a file, name it in PENSTOCK_PRICES"
            )
        return max(known, key=lambda row: row.from_)


def load_prices(extra: Path | None = None) -> PriceTable:
    """The shipped prices with the operator's rows after them; `PriceError` names a wrong row."""
    shipped = _read(files("tasks.model").joinpath("prices.toml").read_bytes(), "the shipped prices.toml")
    if extra is None:
        return shipped
    try:
        own = _read(extra.read_bytes(), str(extra))
    except OSError as error:
        raise PriceError(f"PENSTOCK_PRICES: cannot read {extra}: {error.strerror}") from error
    replaced = {(row.model, row.from_) for row in own.price}
    return PriceTable(
        price=own.price + tuple(row for row in shipped.price if (row.model, row.from_) not in replaced)
    )


def _read(raw: bytes, origin: str) -> PriceTable:
    try:
        return PriceTable.model_validate(tomllib.loads(raw.decode()))
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PriceError(f"{origin} is not a price table: {error}") from error
