"""Random combined commodities and portfolios, as the rulebook takes them and as the plain form does."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from crossmargin.margin.rulebooks.span.parameters import (
    Commodity,
    CommodityRules,
    InterLeg,
    InterSpread,
    IntraLeg,
    IntraSpread,
    SpanContract,
    SpanParameters,
    SpotCharge,
    Tier,
)

PERIODS = ("202603", "202606", "20260918", "202612")
TIERS = (
    Tier(number=1, first="202603", last="202603"),
    Tier(number=2, first="202606", last="20260930"),
    Tier(number=3, first="202612"),
)
CODES = ("AA", "BB", "CC")


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False).map(lambda x: round(x, 6))


@st.composite
def contracts(draw: st.DrawFn, code: str) -> tuple[SpanContract, ...]:
    """Two to five contracts: futures and options of any style."""
    return tuple(
        SpanContract(
            id=f"{code} {n}",
            losses=tuple(draw(st.lists(numbers(-1e4, 1e4), min_size=16, max_size=16))),
            delta=draw(numbers(-1.0, 1.0)),
            period=draw(st.sampled_from(PERIODS)),
            right=draw(st.sampled_from((None, "call", "put"))),
            premium=draw(st.booleans()),
            value=draw(numbers(0.0, 5e3)),
            short_minimum=draw(numbers(0.0, 500.0)),
        )
        for n in range(draw(st.integers(2, 5)))
    )


@st.composite
def spreads(draw: st.DrawFn) -> tuple[IntraSpread, ...]:
    """Up to four, between tiers, within one, or of three legs."""
    found = []
    for priority in draw(st.permutations(range(4)))[: draw(st.integers(0, 4))]:
        chosen = draw(st.permutations((1, 2, 3)))
        sides = [("A", chosen[0]), ("B", draw(st.sampled_from(chosen[:2])))]
        sides += [("B", chosen[2])] if draw(st.booleans()) else []
        legs = tuple(
            IntraLeg(side=side, tier=tier, ratio=draw(st.sampled_from((1.0, 2.0, 0.5)))) for side, tier in sides
        )
        found.append(IntraSpread(priority=priority, charge=draw(numbers(0.0, 1e3)), legs=legs))
    return tuple(found)


@st.composite
def commodities(draw: st.DrawFn, code: str) -> Commodity:
    rules = CommodityRules(
        price_risk=draw(st.sampled_from(("normal", "scanrange", "scanrange_cap"))),
        price_scan=draw(numbers(0.0, 1e4)),
        short_minimum=draw(st.sampled_from(("gross", "max"))),
        cap_value=draw(st.booleans()),
        adjustment=draw(st.sampled_from((1.0, 1.1))),
        initial_ratio=draw(st.sampled_from((1.0, 1.35))),
        scan_tiers=draw(st.sampled_from(((), TIERS))),
        tiers=TIERS,
        spreads=draw(spreads()),
        spot=(SpotCharge(period="202603", spread=draw(numbers(0.0, 100.0)), outright=draw(numbers(0.0, 100.0))),),
    )
    return Commodity(code=code, contracts=draw(contracts(code)), rules=rules)


@st.composite
def inter_spreads(draw: st.DrawFn) -> tuple[InterSpread, ...]:
    found = []
    for priority in draw(st.permutations(range(3)))[: draw(st.integers(0, 3))]:
        codes = draw(st.permutations(CODES))[: draw(st.integers(2, 3))]
        kind = draw(st.sampled_from(("wpr", "flat", "pmps")))
        legs = tuple(
            InterLeg(commodity=code, side="A" if n == 0 else "B", ratio=draw(st.sampled_from((1.0, 3.0))))
            for n, code in enumerate(codes)
        )
        rate = draw(numbers(-0.5, 0.9)) if kind == "wpr" else draw(numbers(-500.0, 500.0))
        found.append(InterSpread(priority=priority, rate=rate, legs=legs, rate_type=kind, months=3.0))
    return tuple(found)


@st.composite
def parameter_sets(draw: st.DrawFn) -> SpanParameters:
    return SpanParameters(
        source="made up",
        date="2026-03-31",
        commodities=tuple(draw(commodities(code)) for code in CODES),
        inter_spreads=draw(inter_spreads()),
    )


@st.composite
def portfolios(draw: st.DrawFn) -> tuple[SpanParameters, dict[str, float]]:
    parameters = draw(parameter_sets())
    ids = [c.id for commodity in parameters.commodities for c in commodity.contracts]
    held = draw(st.dictionaries(st.sampled_from(ids), numbers(-50.0, 50.0), max_size=len(ids)))
    return parameters, held


def plain_commodity(commodity: Commodity) -> dict[str, Any]:
    """The commodity as `spec.rulebooks.span_scanning` takes it."""
    rules = commodity.rules
    ends = {tier.number: (tier.first, tier.last) for tier in rules.tiers}

    def inside(number: int):
        first, last = ends[number]
        return lambda period: period[: len(first)] >= first and (not last or period[: len(last)] <= last)

    return {
        "contracts": {
            c.id: {
                "losses": c.losses,
                "delta": c.delta,
                "period": c.period,
                "right": c.right,
                "premium": c.premium,
                "value": c.value,
                "minimum": c.short_minimum,
            }
            for c in commodity.contracts
        },
        "scan_tiers": [(t.first, t.last) for t in rules.scan_tiers],
        "spreads": [
            (s.priority, s.charge, [(leg.side, inside(leg.tier), leg.ratio) for leg in s.legs]) for s in rules.spreads
        ],
        "spot": [{"period": s.period, "spread": s.spread, "outright": s.outright} for s in rules.spot],
        "gross": rules.short_minimum == "gross",
        "price_risk": rules.price_risk,
        "price_scan": rules.price_scan,
        "cap_value": rules.cap_value,
        "adjustment": rules.adjustment,
        "ratio": rules.initial_ratio,
    }


def plain_spread(spread: InterSpread) -> dict[str, Any]:
    return {
        "priority": spread.priority,
        "rate": spread.rate,
        "kind": spread.rate_type,
        "months": spread.months if spread.rate_type == "pmps" else 1.0,
        "legs": [(leg.commodity, leg.side, leg.ratio) for leg in spread.legs],
    }
