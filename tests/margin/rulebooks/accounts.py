"""One account over BTC, ETH and SOL at round prices, and the answer of a rulebook about it."""

from __future__ import annotations

from functools import cache
from typing import Any

from crossmargin.instruments.terms import AnyTerms, Future, Option, Perpetual, Spot
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.build import build_snapshot
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from tests.strategies import AS_OF_MS, YEAR_MS
from tests.worlds import flat_surface, market, underlying

SPOTS = {"BTC": 100_000.0, "ETH": 4_000.0, "SOL": 200.0, "PEPE": 0.01}
EXPIRY = AS_OF_MS + YEAR_MS // 4


@cache
def _terms() -> tuple[AnyTerms, ...]:
    terms: list[AnyTerms] = []
    for coin in SPOTS:
        terms.append(Perpetual(id=f"{coin}-P.V", underlying=coin, payout="linear", settle="USDC"))
        terms.append(Perpetual(id=f"{coin}-I.V", underlying=coin, payout="inverse", settle=coin))
        terms.append(Future(id=f"{coin}-F.V", underlying=coin, payout="linear", settle="USDC", expiry=EXPIRY))
        terms.append(Spot(id=f"{coin}-S.V", asset=coin))
    call = {"underlying": "BTC", "payout": "linear", "settle": "USDC", "expiry": EXPIRY, "discounted": False}
    terms.append(Option(id="BTC-C.V", strike=110_000.0, right="call", **call))
    terms.append(Option(id="BTC-X.V", strike=90_000.0, right="put", **call))
    return tuple(terms)


@cache
def world() -> Snapshot:
    """Flat volatility of a half, no carry."""
    return build_snapshot(market(*(underlying(c, s, surface=flat_surface(0.5)) for c, s in SPOTS.items())))


def account(
    *positions: tuple[str, float] | tuple[str, float, float],
    orders: tuple[tuple[str, float], ...] = (),
    collateral: dict[str, float] | None = None,
    mode: str = "cross",
) -> Book:
    """An account with these positions (instrument, quantity, entry), orders and balances."""
    held = tuple(Position(instrument=p[0], quantity=p[1], entry_price=p[2] if len(p) > 2 else None) for p in positions)
    waiting = tuple(Order(instrument=name, quantity=q) for name, q in orders)
    cash = tuple(Holding(asset=name, amount=x) for name, x in (collateral or {}).items())
    group = Group(id="g", mode=mode, positions=held, orders=waiting, collateral=cash if mode == "isolated" else ())
    one = Account(id="a", groups=(group,), collateral=() if mode == "isolated" else cash)
    return build_book(BookDocument(accounts=(one,), instruments=_terms()), now_ns=world().time_ns)


def ask(rulebook: Rulebook, book: Book, parameters: Any = None) -> RuleResult:
    """The answer under the latest parameter set, or the given one."""
    return rulebook.evaluate(book, world(), rulebook.load(rulebook.dates()[-1]) if parameters is None else parameters)
