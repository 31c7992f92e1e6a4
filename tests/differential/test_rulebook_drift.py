"""Drift v2 against exact fractions."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.drift import accounts as rule
from crossmargin.margin.rulebooks.drift.weights import Weights
from spec.rulebooks import drift_weights as plain

LEVELS = ("initial", "fill", "maintenance")
USD = st.just(0) | st.integers(0, 10**15)
# Round sizes often, so that orders close, turn or just miss what is held.
SIZES = st.sampled_from((0, 10**9, 2 * 10**9)) | st.sampled_from((0, 1, 10**13)) | st.integers(0, 10**16)
IMFS = st.just(0) | st.integers(0, 10**6)


@st.composite
def weights(draw: st.DrawFn) -> Weights:
    return Weights(initial=draw(st.integers(0, 30_000)), maintenance=draw(st.integers(0, 30_000)))


@st.composite
def spots(draw: st.DrawFn) -> rule.SpotPosition:
    market = rule.SpotMarket(
        asset=draw(weights()),
        liability=draw(weights()),
        imf=draw(IMFS),
        scale_start=draw(USD),
        deposits_value=draw(USD),
    )
    price = draw(st.integers(1, 10**12))
    return rule.SpotPosition(
        market=market,
        tokens=draw(SIZES) * draw(st.sampled_from((1, -1))),
        price=price,
        price_mean=draw(st.just(price) | st.integers(1, 10**12)),
        bids=draw(SIZES),
        asks=draw(SIZES),
        orders=draw(st.integers(0, 32)),
    )


@st.composite
def perpetuals(draw: st.DrawFn) -> rule.PerpPosition:
    market = rule.PerpMarket(
        ratio=draw(weights()),
        imf=draw(IMFS),
        gain=draw(weights()),
        gain_imf=draw(IMFS),
        gain_max=draw(USD),
        gain_net=draw(USD),
        high_leverage=draw(st.none() | weights()),
        in_settlement=draw(st.booleans()),
    )
    return rule.PerpPosition(
        market=market,
        coins=draw(SIZES) * draw(st.sampled_from((1, -1))),
        quote=draw(st.integers(-(10**15), 10**15)),
        price=draw(st.integers(1, 10**12)),
        bids=draw(SIZES),
        asks=draw(SIZES),
        orders=draw(st.integers(0, 32)),
    )


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=300)
@given(spots())
def test_every_token_agrees(level, p):
    got = rule.spot_margin(p, level)
    assert (got.collateral, got.requirement) == plain.spot(msgspec.to_builtins(p), level)


@pytest.mark.parametrize("level", LEVELS)
@given(
    spot=st.lists(spots(), max_size=3),
    perps=st.lists(perpetuals(), max_size=3),
    ratio=st.integers(0, 20_000),
    high=st.booleans(),
)
def test_every_account_agrees(level, spot, perps, ratio, high):
    portfolio = rule.Portfolio(spot=tuple(spot), perpetuals=tuple(perps), user_ratio=ratio, high_leverage=high)
    got = rule.margin_of(portfolio, level)
    parts = [plain.spot(p, level) for p in msgspec.to_builtins(spot)]
    parts += [plain.perpetual(p, level, ratio, high) for p in msgspec.to_builtins(perps)]
    assert (got.collateral, got.requirement) == (sum(c for c, _ in parts), sum(r for _, r in parts))
