"""Random Derive portfolios and parameter sets, and both in the plain form of their twins."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.derive import srm
from crossmargin.margin.rulebooks.derive.evaluating import PMRM, PMRM2, SRM
from crossmargin.margin.rulebooks.derive.native import (
    Collateral,
    ExpiryFeed,
    Feeds,
    Option,
    Portfolio,
    Svi,
    settlement_forward,
)
from crossmargin.margin.rulebooks.derive.pmrm import PmrmParameters
from crossmargin.margin.rulebooks.derive.pmrm2_parameters import Haircut, Pmrm2Parameters

# Times at which a rule changes: expired, in the settlement window and at its edge, a day, thirty days and one second.
SECONDS = (0, 1, 900, 1_800, 86_400, 2_592_000, 2_592_001, 17_280_000)
ONE_WEI = 1e-18
UNIT = Decimal(1).scaleb(-18)


def plain(value: Any) -> dict[str, Any]:
    """A native value as a dictionary; confidences stay as they are written."""
    found: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(Decimal,))
    return found


def confidences() -> st.SearchStrategy[Any]:
    near = Decimal("0.55")
    return st.sampled_from((0.0, 0.3, near - UNIT, 0.55, near + UNIT, 1.0, 1.0, 1.0))


amounts = st.one_of(st.sampled_from((-1.0, 1.0, ONE_WEI, -ONE_WEI, 0.0, 100.0)), st.floats(-20.0, 20.0))


@st.composite
def svis(draw: st.DrawFn, spot: float) -> Svi:
    a, b = draw(st.floats(0.0, 0.5)), draw(st.floats(0.0, 1.0))
    return Svi(
        a=a,
        b=b,
        rho=draw(st.floats(-0.9, 0.9)),
        m=draw(st.floats(-0.3, 0.3)),
        sigma=draw(st.floats(0.01, 0.5)),
        forward=spot * draw(st.floats(0.8, 1.2)),
        tenor_years=draw(st.floats(1e-4, 1.0)),
    )


@st.composite
def expiry_feeds(draw: st.DrawFn, spot: float, seconds: int) -> ExpiryFeed:
    forward, average = spot * draw(st.floats(0.9, 1.1)), spot * draw(st.floats(0.9, 1.1))
    variable, fixed = settlement_forward(forward, seconds_to_expiry=seconds, spot_average=average)
    return ExpiryFeed(
        seconds_to_expiry=seconds,
        forward_variable=variable,
        forward_fixed=fixed,
        rate=draw(st.floats(-0.1, 0.5)),
        forward_confidence=draw(confidences()),
        rate_confidence=draw(confidences()),
        vol_confidence=draw(confidences()),
        svi=draw(svis(spot)),
    )


@st.composite
def feeds(draw: st.DrawFn) -> Feeds:
    spot = draw(st.sampled_from((0.5, 100.0, 3_000.0, 100_000.0)))
    seconds = draw(st.lists(st.sampled_from(SECONDS), unique=True, max_size=3))
    return Feeds(
        spot=spot,
        spot_confidence=draw(confidences()),
        perp_price=spot * draw(st.floats(0.9, 1.1)),
        perp_confidence=draw(confidences()),
        stable_price=draw(st.sampled_from((1.0, 1.001, 0.97, 0.5))),
        expiries=tuple(draw(expiry_feeds(spot, s)) for s in seconds),
    )


@st.composite
def options(draw: st.DrawFn, market: Feeds) -> tuple[Option, ...]:
    if not market.expiries:
        return ()
    strikes = [market.spot * x for x in (0.0, 0.1, 0.8, 0.95, 1.0, 1.1, 1.5, 6.0)]
    one = st.builds(
        Option,
        seconds_to_expiry=st.sampled_from([e.seconds_to_expiry for e in market.expiries]),
        strike=st.sampled_from(strikes),
        right=st.sampled_from(("call", "put")),
        amount=amounts,
        vol=st.one_of(st.none(), st.none(), st.sampled_from((0.0, 0.4, 3.0, 1_000.0))),
    )
    # The volatility of an option is that of its strike and right: where one stands twice it says the same.

    def key(o: Option) -> tuple[float, float, str]:
        return o.seconds_to_expiry, o.strike, o.right

    held = draw(st.lists(one, max_size=6, unique_by=key))
    twice = [msgspec.structs.replace(o, amount=draw(amounts)) for o in held[:1]]
    return (*held, *twice)


@st.composite
def portfolios(draw: st.DrawFn, assets: tuple[str, ...] = ("BTC", "ETH", "USDT")) -> Portfolio:
    market = draw(feeds())
    held = draw(st.lists(st.sampled_from(assets), unique=True, max_size=3)) if assets else []
    return Portfolio(
        underlying="BTC",
        feeds=market,
        cash=draw(st.sampled_from((0.0, -1e5, 1e6))),
        perp=draw(amounts),
        perp_pnl=draw(st.floats(-1e4, 1e4)),
        perp_funding=draw(st.floats(-1e3, 1e3)),
        options=draw(options(market)),
        collaterals=tuple(
            Collateral(
                asset=asset,
                amount=draw(st.floats(0.0, 10.0)),
                price=draw(st.floats(0.0, 1e5)),
                confidence=draw(confidences()),
            )
            for asset in held
        ),
    )


@st.composite
def pmrm_portfolios(draw: st.DrawFn) -> Portfolio:
    """Whose collateral, if any, is the underlying at its spot."""
    p = draw(portfolios(assets=()))
    base = Collateral(asset="BTC", amount=draw(st.floats(0.0, 10.0)), price=p.feeds.spot)
    return msgspec.structs.replace(p, collaterals=draw(st.sampled_from(((), (base,)))))


@st.composite
def srm_portfolios(draw: st.DrawFn) -> srm.SrmPortfolio:
    held = [draw(portfolios(assets=())) for _ in range(draw(st.integers(0, 2)))]
    names = ("BTC", "ETH")
    return srm.SrmPortfolio(
        cash=draw(st.floats(-1e5, 1e5)),
        markets=tuple(
            srm.Market(
                underlying=name,
                feeds=p.feeds,
                perp=p.perp,
                perp_pnl=p.perp_pnl,
                perp_funding=p.perp_funding,
                base=draw(st.sampled_from((0.0, 2.0))),
                options=p.options,
            )
            for name, p in zip(names, held, strict=False)
        ),
    )


def pmrm2_rules() -> tuple[Pmrm2Parameters, ...]:
    """The shipped sets, and one at the upper and one at the lower bound of what the venue admits."""
    main, test = (PMRM2.load(date) for date in ("2026-01-21", "2025-03-20"))
    replaced = msgspec.structs.replace
    high = replaced(
        main,
        initial_factor=10.0,
        maintenance_factor=10.0,
        vol_shock=replaced(main.vol_shock, range_up=10.0, range_down=10.0, days_floor=400.0, vol_floor=20.0),
        discounting=type(main.discounting)(
            long_base=4.0, long_mult=10.0, long_add=10.0, short_base=4.0, short_mult=10.0, short_add=10.0
        ),
        basis=type(main.basis)(up=3.0, down=0.0, add=20.0, mult=20.0),
        contingencies=type(main.contingencies)(
            peg_threshold=100.0,
            peg_factor=10.0,
            confidence_threshold=1.0,
            confidence_margin=20.0,
            perp_maintenance=3.0,
            perp_initial_extra=3.0,
            option_maintenance=2.0,
            option_initial_extra=2.0,
        ),
        collaterals=dict.fromkeys(("BTC", "ETH", "USDT"), Haircut(maintenance=1.0, initial_extra=0.0, cancels="BTC")),
    )
    zero = dict.fromkeys(main.contingencies.__struct_fields__, 0.0)
    low = replaced(
        main,
        initial_factor=0.5,
        maintenance_factor=0.1,
        vol_shock=type(main.vol_shock)(range_up=0.0, range_down=0.0, short_power=0.0, long_power=0.0, days_floor=1.0),
        basis=type(main.basis)(up=1.0, down=1.0, add=0.0, mult=0.0),
        contingencies=type(main.contingencies)(**zero),
        collaterals=dict.fromkeys(("BTC", "ETH", "USDT"), Haircut(maintenance=0.0, initial_extra=0.0)),
    )
    return main, test, high, low


def pmrm_rules() -> PmrmParameters:
    found: PmrmParameters = PMRM.load("2026-01-21")
    return found


def srm_rules() -> srm.SrmParameters:
    found: srm.SrmParameters = SRM.load("2026-01-21")
    return found


def scale_of(p: Portfolio) -> float:
    """The gross notional of a portfolio, against which float noise is measured."""
    sizes = sum(abs(o.amount) * (p.feeds.spot + o.strike) for o in p.options) + abs(p.perp) * p.feeds.spot
    held = sum(c.amount * c.price for c in p.collaterals) / p.feeds.stable_price
    return float(np.abs([p.cash, p.perp_pnl, p.perp_funding]).sum() + sizes + held + 1.0)
