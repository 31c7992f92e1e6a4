"""Random holdings of one coin in the terms of scenario rulebooks, and option legs to write sums with."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from crossmargin.margin.rulebooks.scanning import LinearLeg, OptionLeg, RiskUnit, VolRule

# Times at which a rule may change: expired, within a settlement window, thirty days and a second, a year.
DAYS = (0.0, 1e-6, 0.01, 1.0, 29.9, 30.0, 30.0 + 1.0 / 86_400.0, 365.0)
SIZES = st.sampled_from((0.0, 1.0, -1.0, 1e-18, -1e-18)) | st.floats(-50.0, 50.0)
ORDERS = st.just(0.0) | st.floats(0.0, 20.0)


def call(**more: Any) -> OptionLeg:
    """A call at 100 on a forward of 100 with half a year and a volatility of a half, one coin long."""
    base = {"instrument": "o", "strike": 100.0, "right": "call", "days": 182.5, "forward": 100.0, "volatility": 0.5}
    return OptionLeg(**(base | {"quantity": 1.0} | more))


def perpetual(**more: Any) -> LinearLeg:
    """A linear perpetual at 100, one coin long."""
    return LinearLeg(**({"instrument": "p", "kind": "perpetual", "price": 100.0, "quantity": 1.0} | more))


@st.composite
def linear_legs(draw: st.DrawFn, index: float, inverse: bool | None = None) -> LinearLeg:
    kind = draw(st.sampled_from(("perpetual", "future")))
    return LinearLeg(
        instrument=draw(st.sampled_from("abcdef")),
        kind=kind,
        price=index * draw(st.floats(0.8, 1.2)),
        quantity=draw(SIZES),
        inverse=draw(st.booleans()) if inverse is None else inverse,
        days=draw(st.sampled_from(DAYS)) if kind == "future" else None,
        buys=draw(ORDERS),
        sells=draw(ORDERS),
    )


@st.composite
def option_legs(draw: st.DrawFn, index: float, inverse: bool | None = None) -> OptionLeg:
    return OptionLeg(
        instrument=draw(st.sampled_from("uvwxyz")),
        strike=index * draw(st.sampled_from((0.1, 0.9, 1.0, 1.1, 5.0))),
        right=draw(st.sampled_from(("call", "put"))),
        days=draw(st.sampled_from(DAYS)),
        forward=index * draw(st.floats(0.8, 1.2)),
        volatility=draw(st.sampled_from((0.0, 0.05, 0.5, 3.0))),
        quantity=draw(SIZES),
        inverse=draw(st.booleans()) if inverse is None else inverse,
        discount=draw(st.floats(0.8, 1.0)),
        buys=draw(ORDERS),
        sells=draw(ORDERS),
    )


@st.composite
def risk_units(draw: st.DrawFn, coin: str = "BTC", inverse: bool | None = None) -> RiskUnit:
    """Up to three linear legs and four options, inverse or not as asked."""
    index = draw(st.sampled_from((1e-4, 100.0, 65_000.0)))
    return RiskUnit(
        coin=coin,
        index=index,
        linear=tuple(draw(st.lists(linear_legs(index, inverse), max_size=3))),
        options=tuple(draw(st.lists(option_legs(index, inverse), max_size=4))),
    )


@st.composite
def vol_rules(draw: st.DrawFn) -> VolRule:
    return VolRule(
        up=draw(st.floats(0.0, 1.0)),
        down=draw(st.floats(0.0, 1.5)),
        short_power=draw(st.sampled_from((0.0, 0.3, 0.49))),
        long_power=draw(st.sampled_from((0.0, 0.13))),
        floor_days=draw(st.sampled_from((0.0, 1.0, 40.0))),
        min_up=draw(st.sampled_from((0.0, 0.5))),
        relative=draw(st.booleans()),
    )
