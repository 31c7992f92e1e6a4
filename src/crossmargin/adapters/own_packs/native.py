"""Rules on a venue's own terms: what portfolio each takes, and its answer as numbers by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from crossmargin.core.check import known
from crossmargin.margin.rulebooks.aevo_standard import options as aevo
from crossmargin.margin.rulebooks.binance import unified
from crossmargin.margin.rulebooks.bybit_cross import accounts as bybit_cross
from crossmargin.margin.rulebooks.bybit_pm import stress as bybit_pm
from crossmargin.margin.rulebooks.bybit_standard import options as bybit
from crossmargin.margin.rulebooks.cboe import strategy as cboe
from crossmargin.margin.rulebooks.cboe.portfolio import Portfolio as CboePortfolio
from crossmargin.margin.rulebooks.coinbase import perpetuals as coinbase
from crossmargin.margin.rulebooks.deribit_pm import account as deribit_pm
from crossmargin.margin.rulebooks.deribit_standard import standard as deribit
from crossmargin.margin.rulebooks.derive import pmrm, pmrm2, srm
from crossmargin.margin.rulebooks.derive.native import Portfolio as DerivePortfolio
from crossmargin.margin.rulebooks.drift import accounts as drift
from crossmargin.margin.rulebooks.dydx import perpetuals as dydx
from crossmargin.margin.rulebooks.gmx import positions as gmx
from crossmargin.margin.rulebooks.hyperliquid import perpetuals as hyperliquid
from crossmargin.margin.rulebooks.hyperliquid import portfolio as hyperliquid_pm
from crossmargin.margin.rulebooks.kraken import futures as kraken
from crossmargin.margin.rulebooks.mango import health as mango
from crossmargin.margin.rulebooks.okx_cross import accounts as okx
from crossmargin.margin.rulebooks.okx_pm import stress as okx_pm
from crossmargin.margin.rulebooks.opyn import gamma as opyn
from crossmargin.margin.rulebooks.panoptic import collateral as panoptic
from crossmargin.margin.rulebooks.paradex import cross as paradex
from crossmargin.margin.rulebooks.perennial import positions as perennial
from crossmargin.margin.rulebooks.short_options import OptionPortfolio
from crossmargin.margin.rulebooks.synthetix import perpetuals as synthetix
from crossmargin.margin.rulebooks.vega import lognormal as vega
from crossmargin.margin.rulebooks.vertex import health as vertex

Answer: TypeAlias = Callable[[Any, Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """The kind of portfolio that a rule takes, and `answer(portfolio, parameters)`."""

    portfolio: type[msgspec.Struct]
    answer: Answer


class _Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule takes beside its parameters, for rules that have no portfolio of their own."""


class CoinbaseAccount(_Arguments, frozen=True, kw_only=True):
    """Positions with their markets, and the pairs that offset each other."""

    positions: tuple[coinbase.Position, ...] = ()
    offsets: tuple[coinbase.Offset, ...] = ()


class HyperliquidAccount(_Arguments, frozen=True, kw_only=True):
    """Positions with their tiers."""

    positions: tuple[hyperliquid.Position, ...] = ()


class KrakenAccount(_Arguments, frozen=True, kw_only=True):
    """Legs with their schedules."""

    legs: tuple[kraken.Leg, ...] = ()


class OkxAccount(_Arguments, frozen=True, kw_only=True):
    """Positions with their tables, and loans."""

    positions: tuple[okx.Position, ...] = ()
    loans: tuple[okx.Loan, ...] = ()


class PanopticAccount(_Arguments, frozen=True, kw_only=True):
    """A position, and the price of the coin in the numeraire."""

    position: panoptic.Position
    price: float


class VegaAccount(_Arguments, frozen=True, kw_only=True):
    """A position in its market."""

    position: vega.Position
    market: vega.Market


def native_rulebooks() -> tuple[str, ...]:
    """The ids of the rulebooks that also take a portfolio on the venue's own terms."""
    return tuple(_NATIVE)


def native_rule(rulebook: str, *, where: str) -> Native:
    """The native entry of a rulebook; raises `UnknownName` for one whose cases are books."""
    remedy = "State a book and a market; these rulebooks also take a portfolio."
    return _NATIVE[known(rulebook, _NATIVE, "rulebook of a native portfolio", where=where, remedy=remedy)]


def figures(answer: object, path: str = "") -> Iterator[tuple[str, int | float]]:
    """The numbers of an answer by name, the parts of a name joined by dots.

    Lists are counted from 0; the answers for many accounts are arrays whose one row is this account. Texts, truth
    values and what is absent are left out.
    """
    if isinstance(answer, bool | np.bool_ | str | None):
        return
    if isinstance(answer, int | float):
        yield path, answer
    elif isinstance(answer, Decimal | np.number):
        yield path, float(answer)
    else:
        for name, part in _parts(answer):
            yield from figures(part, f"{path}.{name}" if path else name)


def _parts(answer: object) -> Iterator[tuple[str, object]]:
    if isinstance(answer, msgspec.Struct):
        yield from msgspec.structs.asdict(answer).items()
    elif isinstance(answer, Mapping):
        yield from ((str(key), value) for key, value in answer.items())
    elif isinstance(answer, Sequence | np.ndarray):
        yield from ((str(number), value) for number, value in enumerate(answer))
    elif dataclasses.is_dataclass(answer):
        yield from ((field.name, _row(getattr(answer, field.name))) for field in dataclasses.fields(answer))


def _row(column: object) -> object:
    """The row of the one account of a column."""
    return column[0] if isinstance(column, np.ndarray) and len(column) == 1 else column


def _alone(margin_of: Callable[[Any], object]) -> Answer:
    """A rule whose portfolio holds all it needs."""
    return lambda portfolio, _parameters: margin_of(portfolio)


def _by_level(margin_of: Callable[[Any, Any], object], *levels: str) -> Answer:
    """A rule that is asked at each of its levels."""
    return lambda portfolio, _parameters: {level: margin_of(portfolio, level) for level in levels}


def _two(initial_and_maintenance: tuple[float, float]) -> dict[str, float]:
    return dict(zip(("initial", "maintenance"), initial_and_maintenance, strict=True))


def _coinbase(account: CoinbaseAccount, parameters: coinbase.Parameters) -> object:
    return coinbase.margin_of(account.positions, account.offsets, credit_on=parameters.credit_on)


def _summed(margin: deribit_pm.PortfolioMargin) -> dict[str, object]:
    """Of all accounts, and the parts of each by its name."""
    parts = ("initial", "maintenance", "worst_case", "roll_shock", "delta_shock", "correlation_contingency")
    accounts = {a.name: {part: getattr(a, part) for part in parts} for a in margin.accounts}
    return {"initial": margin.initial, "maintenance": margin.maintenance, "accounts": accounts}


_NATIVE: Final[dict[str, Native]] = {
    "aevo-standard": Native(portfolio=OptionPortfolio, answer=aevo.margin_of),
    "binance-pm": Native(portfolio=unified.Portfolio, answer=_alone(unified.margin_of)),
    "bybit-cross": Native(
        portfolio=bybit_cross.Portfolio, answer=lambda held, p: _two(bybit_cross.margin_of(held, p.options))
    ),
    "bybit-options-cross": Native(portfolio=OptionPortfolio, answer=bybit.margin_of),
    "bybit-pm": Native(portfolio=bybit_pm.Portfolio, answer=lambda held, p: bybit_pm.margin_of(held, p.coins)),
    "cboe-strategy": Native(portfolio=CboePortfolio, answer=cboe.margin_of),
    "coinbase-intx": Native(portfolio=CoinbaseAccount, answer=_coinbase),
    "deribit-pm": Native(portfolio=deribit_pm.Portfolio, answer=lambda held, p: _summed(deribit_pm.margin_of(held, p))),
    "deribit-pm-cross": Native(
        portfolio=deribit_pm.Portfolio, answer=lambda held, p: _summed(deribit_pm.cross_margin_of(held, p))
    ),
    "deribit-standard": Native(portfolio=deribit.Portfolio, answer=deribit.margin_of),
    "derive-pmrm": Native(portfolio=DerivePortfolio, answer=pmrm.margin_of),
    "derive-pmrm2": Native(portfolio=DerivePortfolio, answer=pmrm2.margin_of),
    "derive-srm": Native(portfolio=srm.SrmPortfolio, answer=srm.margin_of),
    "drift-v2": Native(portfolio=drift.Portfolio, answer=_by_level(drift.margin_of, "initial", "fill", "maintenance")),
    "dydx-v4": Native(portfolio=dydx.Portfolio, answer=_alone(dydx.margin_of)),
    "gmx-v2": Native(portfolio=gmx.Position, answer=_alone(gmx.margin_of)),
    "hyperliquid": Native(
        portfolio=HyperliquidAccount, answer=_alone(lambda held: hyperliquid.margin_of(held.positions))
    ),
    "hyperliquid-pm": Native(portfolio=hyperliquid_pm.Portfolio, answer=_alone(hyperliquid_pm.margin_of)),
    "kraken-futures": Native(portfolio=KrakenAccount, answer=_alone(lambda held: kraken.margin_of(held.legs))),
    "mango-v4": Native(
        portfolio=mango.Portfolio, answer=_by_level(mango.margin_of, "init", "maint", "liquidation_end")
    ),
    "okx-cross": Native(
        portfolio=OkxAccount, answer=_alone(lambda held: _two(okx.margin_of(held.positions, held.loans)))
    ),
    "okx-pm": Native(portfolio=okx_pm.Portfolio, answer=okx_pm.margin_of),
    "opyn-gamma": Native(portfolio=opyn.Vault, answer=opyn.margin_of),
    "panoptic-v1": Native(
        portfolio=PanopticAccount, answer=lambda held, p: panoptic.margin_of(held.position, held.price, p)
    ),
    "paradex-cross": Native(portfolio=paradex.Portfolio, answer=lambda held, p: _two(paradex.margin_of(held, p))),
    "perennial-v2": Native(portfolio=perennial.Position, answer=_alone(lambda held: _two(perennial.margin_of(held)))),
    "synthetix-v3": Native(portfolio=synthetix.Portfolio, answer=_alone(synthetix.margin_of)),
    "vega": Native(portfolio=VegaAccount, answer=_alone(lambda held: vega.margin_of(held.position, held.market))),
    "vertex": Native(portfolio=vertex.Portfolio, answer=_by_level(vertex.margin_of, "initial", "maintenance")),
}
