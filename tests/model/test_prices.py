from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.calls import Usage
from tasks.model.prices import PriceError, load_prices

TOKENS = st.integers(0, 2_000_000)


def test_the_newest_price_in_force_counts() -> None:
    """A call before a price change costs the old price, one on the day the new."""
    table = load_prices()
    assert table.at("claude-sonnet-5-5", date(2026, 10, 6)).cache_read == Decimal("0.20")
    assert table.at("claude-sonnet-5-5", date(2026, 10, 7)).cache_read == Decimal("0.10")


def test_a_million_tokens_cost_what_the_table_says() -> None:
    """Four kinds of tokens are priced apart and added."""
    price = load_prices().at("claude-opus-5-5", date(2026, 11, 1))
    usage = Usage(
        input_tokens=1_000_000,
        output_tokens=1_000_000,
        cache_write_tokens=1_000_000,
        cache_read_tokens=1_000_000,
    )
    assert price.cost(usage) == Decimal("29.20")


@pytest.mark.parametrize(("prompt", "usd"), [(100_000, "0.0105"), (100_001, "0.0525005")])
def test_a_long_prompt_pays_its_own_rates(prompt: int, usd: str) -> None:
    """One token over the limit and every token of the request costs the long rates."""
    price = load_prices().at("claude-haiku-5-5", date(2026, 11, 1))
    assert price.cost(Usage(input_tokens=prompt, output_tokens=1_000)) == Decimal(usd)


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_the_offline_model_costs_nothing(read: int, written: int, cached: int, hit: int) -> None:
    """Its price is stated as zero, not missing."""
    usage = Usage(input_tokens=read, output_tokens=written, cache_write_tokens=cached, cache_read_tokens=hit)
    assert load_prices().at("offline-extractive", date(2026, 11, 1)).cost(usage) == 0


def test_a_model_without_a_price_is_refused_by_name() -> None:
    """Nothing is priced at zero by accident: the message names the model and where to put its price."""
    with pytest.raises(PriceError, match=r"no price for model 'claude-nova' .* PENSTOCK_PRICES"):
        load_prices().at("claude-nova", date(2026, 11, 1))


def test_an_operators_price_stands_before_the_shipped_one(tmp_path: Path) -> None:
    """A row for the same model and day replaces ours; other models keep theirs."""
    own = tmp_path / "prices.toml"
    own.write_text(
        '[[price]]\nmodel = "claude-opus-5-5"\nfrom = 2026-09-22\n'
        'input = "3"\noutput = "15"\ncache_write = "4"\ncache_read = "0.1"\n'
    )
    table = load_prices(own)
    assert table.at("claude-opus-5-5", date(2026, 11, 1)).input == 3
    assert table.at("claude-sonnet-5-5", date(2026, 11, 1)).input == 2


@pytest.mark.parametrize(
    "text",
    [
        "price = 3",
        "not toml at all [",
        '[[price]]\nmodel = "m"\nfrom = 2026-01-01\n',
        '[[price]]\nmodel = "m"\nfrom = 2026-01-01\ninput = "-1"\noutput = "1"\ncache_write = "1"\ncache_read = "1"\n',
    ],
)
def test_a_wrong_price_file_is_refused(tmp_path: Path, text: str) -> None:
    """A negative, missing or unreadable price stops the start with the file's name."""
    own = tmp_path / "prices.toml"
    own.write_text(text)
    with pytest.raises(PriceError, match=r"prices\.toml is not a price table"):
        load_prices(own)


def test_a_missing_price_file_is_refused(tmp_path: Path) -> None:
    """The setting's name and the file are in the message."""
    with pytest.raises(PriceError, match=r"PENSTOCK_PRICES: cannot read .*nowhere"):
        load_prices(tmp_path / "nowhere.toml")
