"""A market of round figures, a few contracts on it, and a model whose terms can be added up by hand."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossmargin.collateral.document import Collateral, HaircutTier
from crossmargin.engine.model import ModelDocument
from crossmargin.instruments.terms import AnyTerms, Future, Option, Perpetual
from crossmargin.margin import document as doc
from crossmargin.margin.requirement import TERMS
from crossmargin.market import document as market_doc
from crossmargin.portfolio.document import Account, Group, Holding, Order, Position
from crossmargin.scenarios.document import Grid, Joint, Moves, Tail
from tests.margin.books import MarginCase
from tests.strategies import AS_OF_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

NONE = doc.Factor(initial=0.0, maintenance=0.0)
HALF_YEAR = AS_OF_MS + YEAR_MS // 2
BTC_PERP = Perpetual(id="BTC-PERP.A", underlying="BTC", payout="linear", settle="USDC")
BTC_COIN = Perpetual(id="BTC-COIN.A", underlying="BTC", payout="inverse", settle="BTC", multiplier=100.0)
BTC_FUTURE = Future(id="BTC-FUTURE.A", underlying="BTC", payout="linear", settle="USDC", expiry=HALF_YEAR)
BTC_ELSEWHERE = Perpetual(id="BTC-PERP.B", underlying="BTC", payout="linear", settle="USDC")
ETH_PERP = Perpetual(id="ETH-PERP.A", underlying="ETH", payout="linear", settle="USDC")


def option(right: str, strike: float, **more: object) -> Option:
    """A cash-settled option on BTC, half a year out, not discounted."""
    fixed = {"payout": "linear", "settle": "USDC", "expiry": HALF_YEAR, "discounted": False}
    return Option(
        **{"id": f"BTC-{strike:g}-{right}.A", "underlying": "BTC", "strike": strike, "right": right} | fixed | more
    )


CALL, PUT = option("call", 100.0), option("put", 100.0)
CONTRACTS: tuple[AnyTerms, ...] = (BTC_PERP, BTC_COIN, BTC_FUTURE, BTC_ELSEWHERE, ETH_PERP, CALL, PUT)


def desk_market(*, adv: float = 1e12, half_spread_bps: float = 0.0, **btc: object) -> market_doc.MarketDocument:
    """BTC at 100 and ETH at 10, vol 50 %, correlation one half; nothing costs anything to trade unless it is said."""
    free = market_doc.Liquidity(
        adv_usd=adv, half_spread_bps=half_spread_bps, daily_vol=0.02, half_spread_vol_points=0.0
    )
    return market(
        underlying("BTC", 100.0, **{"surface": flat_surface(0.5), "liquidity": free} | btc),
        underlying("ETH", 10.0, surface=flat_surface(0.5), liquidity=free),
        correlations=market_doc.Correlations(names=("BTC", "ETH"), matrix=((1.0, 0.5), (0.5, 1.0))),
    )


def plain_model(**more: object) -> ModelDocument:
    """Prices move by 20 % up and down, each underlying alone; no add-on and no haircut unless it is said.

    A far move of −50 % counts half.
    """
    moves = Moves(price_range=0.2, tails=(Tail(move=-0.5, damping=0.5),))
    base = ModelDocument(
        name="by hand",
        date="2026-03-31",
        source="round figures",
        grid=Grid(classes={"crypto_major": moves}, steps=1, joint=Joint(together=False, pairs=False)),
        rules={},
        measure=doc.MeasureChoice(kind="worst"),
        scan=doc.Factor(initial=1.0, maintenance=1.0),
        jump=NONE,
        offset_cap=1.0,
        liquidity=doc.Liquidity(spread=NONE, concentration=NONE),
        basis=doc.Basis(factor=NONE),
        short_option=doc.ShortOption(factor=NONE),
        oracle=doc.Oracle(factor=NONE),
        wrong_way=doc.WrongWay(factor=NONE),
        collateral=Collateral(
            haircuts={a: (HaircutTier(value_cap=1e18, haircut=0.0),) for a in ("USD", "USDC", "BTC", "ETH")}
        ),
    )
    return msgspec.structs.replace(base, **more)


def group(
    positions: Mapping[str, float] | tuple[Position, ...] = (), *, mode: str = "portfolio", **more: object
) -> Group:
    """A group of positions, by instrument where they have no entry price."""
    if isinstance(positions, Mapping):
        positions = tuple(Position(instrument=name, quantity=q) for name, q in positions.items())
    return Group(**{"id": "main", "mode": mode, "positions": positions} | more)


def orders(*lines: tuple[str, float] | tuple[str, float, float]) -> tuple[Order, ...]:
    """Orders as (instrument, quantity) or (instrument, quantity, price)."""
    return tuple(Order(instrument=x[0], quantity=x[1], price=x[2] if len(x) > 2 else None) for x in lines)


def account(*groups: Group, collateral: dict[str, float] | None = None, **more: object) -> Account:
    """An account over shared collateral, on no chain."""
    held = tuple(Holding(asset=a, amount=x) for a, x in (collateral or {}).items())
    return Account(**{"id": "desk", "groups": groups, "collateral": held} | more)


def desk(
    *accounts: Account,
    model: ModelDocument | None = None,
    market: market_doc.MarketDocument | None = None,
    more: tuple[AnyTerms, ...] = (),
) -> MarginCase:
    """A book of accounts on the desk's market."""
    return MarginCase(
        market=market or desk_market(), accounts=accounts, terms=(*CONTRACTS, *more), model=model or plain_model()
    )


def required(c: MarginCase, term: str | None = None) -> float:
    """The initial margin of the first pool, or one term of the first group's."""
    if term is None:
        return float(c.result.pools.initial[0])
    return float(c.result.groups.initial[0, TERMS.index(term)])
