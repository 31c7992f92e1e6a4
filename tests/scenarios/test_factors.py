"""Names of factors: what they mean, and what is no name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.scenarios.factors import (
    ABSOLUTE_KINDS,
    CURVE_KINDS,
    KINDS,
    PERPETUAL_KINDS,
    RELATIVE_KINDS,
    parse_factor,
    parse_tenor,
)


@pytest.mark.parametrize(
    ("text", "kind", "name", "years"),
    [
        ("spot:BTC", "spot", "BTC", 0.0),
        ("vol:BTC:30d", "vol", "BTC", 30.0 / 365.0),
        ("rate:USD:2y", "rate", "USD", 2.0),
        ("fwd:ETH:6m", "fwd", "ETH", 0.5),
        ("fwd:ETH:1.5y", "fwd", "ETH", 1.5),
        ("chain:eip155:42161", "chain", "eip155:42161", 0.0),
        ("backing:stargate:usdc", "backing", "stargate:usdc", 0.0),
    ],
)
def test_parts_of_a_name(text: str, kind: str, name: str, years: float):
    assert parse_factor(text, where="here") == (kind, name, years)


def test_every_kind_moves_in_one_way():
    assert set(RELATIVE_KINDS) & set(ABSOLUTE_KINDS) == set()
    assert set(CURVE_KINDS) <= set(KINDS)
    assert set(PERPETUAL_KINDS) <= set(ABSOLUTE_KINDS)


@pytest.mark.parametrize("text", ["", "BTC", "spot", "spot:", "price:BTC", ":BTC", "SPOT:BTC", "vol::30d", "peg::"])
def test_what_has_no_known_kind_or_no_name_is_refused(text: str):
    with pytest.raises(UnknownName, match=r"here: factor is .* backing:NAME, basis:NAME"):
        parse_factor(text, where="here")


@pytest.mark.parametrize(
    "text",
    ["spot:BTC:30d", "peg:USDC:1y", "skew:BTC:30d", "smile:BTC:7d", "fx:EUR:", "basis:BTC:30d", "funding:BTC:8d"],
)
def test_a_node_behind_a_single_number_is_refused(text: str):
    with pytest.raises(InvalidInput, match="only fwd, vol, rate have tenors"):
        parse_factor(text, where="here")


@pytest.mark.parametrize(
    "node", ["", "d", "30", "0d", "-1y", "1e3d", "nand", "infy", "²d", "٣d", "1_0d", " 1d", "1..0y", "30D"]
)
def test_what_is_no_tenor_is_refused(node: str):
    with pytest.raises(InvalidInput, match="like 30d, 6m or 10y"):
        parse_tenor(node, where="here")


@given(st.integers(1, 9_999), st.sampled_from("dwmy"))
def test_tenors_count_days_weeks_months_and_years(count: int, unit: str):
    assert (
        parse_tenor(f"{count}{unit}", where="here") == count * {"d": 1 / 365, "w": 7 / 365, "m": 1 / 12, "y": 1}[unit]
    )
