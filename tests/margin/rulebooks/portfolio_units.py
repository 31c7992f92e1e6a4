"""Random holdings of one coin for the rulebooks of portfolio margin, and their plain forms."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.okx_pm.parameters import Parameters
from crossmargin.margin.rulebooks.paradex.portfolio import FundedUnit
from crossmargin.margin.rulebooks.scanning import LinearLeg, RiskUnit
from crossmargin.margin.rulebooks.spreads import QuotedUnit
from tests.margin.rulebooks.scan_units import risk_units

replace = msgspec.structs.replace


def plain(value: Any) -> dict[str, Any]:
    """A struct as plain mappings."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


@st.composite
def quoted_units(draw: st.DrawFn, coin: str) -> QuotedUnit:
    """Contracts in three currencies, some spot beside them."""
    unit = draw(risk_units(coin))
    spot = draw(st.sampled_from((0.0, 1.0, -3.0)))
    if spot:
        leg = LinearLeg(instrument="spot", kind="spot", price=unit.index, quantity=spot)
        unit = replace(unit, linear=(*unit.linear, leg))
    names = sorted({leg.instrument for leg in unit.legs if not leg.inverse})
    quotes = {name: draw(st.sampled_from(("USD", "USDT", "USDC"))) for name in names}
    return QuotedUnit(unit=unit, quotes=quotes)


@st.composite
def funded_units(draw: st.DrawFn, coin: str) -> FundedUnit:
    """Linear perpetuals and options, and what perpetuals are expected to pay or receive."""
    unit = draw(risk_units(coin, inverse=False))
    perpetuals = tuple(replace(leg, kind="perpetual", days=None) for leg in unit.linear)
    return FundedUnit(unit=replace(unit, linear=perpetuals), funding=draw(st.sampled_from((0.0, 1e-4, -0.01, 0.5))))


def scale_of(unit: RiskUnit) -> float:
    """USD by which rounding is judged: sizes at the largest price in play, six times up."""
    sizes = 1.0 + sum(abs(leg.quantity) + leg.buys + leg.sells for leg in unit.legs)
    prices = [unit.index, *(leg.price for leg in unit.linear), *(max(o.strike, o.forward) for o in unit.options)]
    return sizes * max(prices) * 6.0


def okx_table(coin: str, rules: Parameters, stablecoins: dict[str, float]) -> dict[str, Any]:
    """The numbers of a coin's classes in one plain table."""
    terms = ("decay_days", "vega_share", "rate_shock", "extreme_factor")
    risk = plain(rules.risk_of(coin))
    return {
        **{name: getattr(rules, name) for name in terms},
        **risk,
        "tiers": [(t.cap, t.factor) for t in rules.risk_of(coin).tiers],
        "volatility": plain(rules.volatility),
        "steps": rules.steps_of(coin),
        "pegs": [(row.peg_min, [(t.cap, t.factor) for t in row.tiers]) for row in rules.pegs],
        "stablecoins": {"USD": 1.0, **stablecoins},
    }
