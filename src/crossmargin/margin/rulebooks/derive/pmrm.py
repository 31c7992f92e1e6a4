"""Derive's first portfolio manager, PMRM: the scenarios of PMRM_2 without damping, tails, skews or floor.

    maintenance = span − static + mark-to-market + cash,
    initial = (span − static)·(factor + depeg) − confidence + mark-to-market + cash, healthy if not negative.

The static add-ons stand inside the factor of the initial margin. Options are valued undiscounted, and only long values
take the static discount. The account's one collateral is the underlying itself. Source: rulebook reference 1.3, 1.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive.auction import AuctionParameters
from crossmargin.margin.rulebooks.derive.building import Basis, VolShock, check_ranges, segment_sums
from crossmargin.margin.rulebooks.derive.columns import Columns, columns_of
from crossmargin.margin.rulebooks.derive.native import WAD, Part, Portfolio, wad
from crossmargin.margin.rulebooks.derive.shocks import basis_losses, check_size, revalued, shocked_vols

PlainShock: TypeAlias = Literal["none", "up", "down"]


class Move(Part, frozen=True, kw_only=True):
    """The spot times `spot`, volatilities by `vol`."""

    spot: float
    vol: PlainShock

    @property
    def label(self) -> str:
        """What happens, for people."""
        return f"spot {self.spot - 1.0:+.2%}, vol {self.vol}"


class StaticDiscount(Part, frozen=True, kw_only=True):
    """Long values × `base`·e^(−T(r·`mult` + `add`))."""

    base: float
    mult: float
    add: float


class Statics(Part, frozen=True, kw_only=True):
    """Add-ons: shares of the notional of the perpetual, of naked short options and of the underlying held; depeg and
    confidence."""

    perp: float
    option: float
    base: float
    peg_threshold: float
    peg_factor: float
    confidence_threshold: float
    confidence_margin: float


_RANGES: Final = {
    "basis": {"up": (1.0, 3.0), "down": (0.0, 1.0), "add": (0.0, 5.0), "mult": (0.0, 5.0)},
    "vol_shock": {
        "range_up": (0.0, 2.0),
        "range_down": (0.0, 2.0),
        "short_power": (0.0, 0.5),
        "long_power": (0.0, 0.5),
        "days_floor": (0.01, 100.0),
        "vol_floor": (0.0, 0.0),
    },
    "discount": {"base": (0.0, 1.0), "mult": (0.0, 5.0), "add": (0.0, 5.0)},
    "statics": {
        "perp": (0.0, 1.0),
        "option": (0.0, 1.0),
        "base": (0.0, 1.0),
        "peg_threshold": (0.0, 1.0),
        "peg_factor": (0.0, 20.0),
        "confidence_threshold": (0.0, 1.0),
        "confidence_margin": (0.0, 1.5),
    },
}


class PmrmParameters(Part, frozen=True, kw_only=True):
    """A dated parameter set; its ranges are those that the venue admits (reference 1.7)."""

    source: str
    date: str
    initial_factor: float
    scenarios: tuple[Move, ...]
    vol_shock: VolShock
    discount: StaticDiscount
    basis: Basis
    statics: Statics
    auction: AuctionParameters | None = None
    underlyings: tuple[str, ...] = ()
    cash: str = "USDC"
    assets_max: int = 128
    expiries_max: int = 11
    note: str = ""

    def __post_init__(self) -> None:
        where = "PMRM parameters"
        check_ranges(self, {"initial_factor": (1.0, 4.0)}, where=where)
        for name, limits in _RANGES.items():
            check_ranges(getattr(self, name), limits, where=where)
        check.within(len(self.scenarios), "number of scenarios", 1, 40, where=where)
        for i, scenario in enumerate(self.scenarios):
            check.within(scenario.spot, "spot factor", 0.0, 100.0, where=f"{where}: scenarios[{i}]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PmrmMargins:
    """Net margins and all that makes them, USD (cash stablecoin), by account [account].

    `initial` and `maintenance` are healthy at or above zero; `mark_to_market` holds the cash too. `pnl` [account,
    scenario]; `worst` is the scenario that binds, or the number of scenarios where `basis` does. `perp`, `option`,
    `base` (the static add-ons) and `oracle` are not negative.
    """

    initial: FloatArray
    maintenance: FloatArray
    mark_to_market: FloatArray
    cash: FloatArray
    pnl: FloatArray
    basis: FloatArray
    span: FloatArray
    worst: IntArray
    initial_factor: FloatArray
    perp: FloatArray
    option: FloatArray
    base: FloatArray
    oracle: FloatArray

    def __len__(self) -> int:
        return len(self.initial)


def margin_of(portfolio: Portfolio, parameters: PmrmParameters) -> PmrmMargins:
    """Margins of one portfolio, with every scenario and add-on: `margins_of` of it alone."""
    return margins_of((portfolio,), parameters)


def margins_of(portfolios: Sequence[Portfolio], parameters: PmrmParameters) -> PmrmMargins:
    """Margins of many portfolios, in their order.

    Raises `InvalidInput` for numbers out of range, more assets than the manager takes, or collateral that is not the
    underlying at its spot, and `MissingFactors` where a feed is missing.
    """
    for p in portfolios:
        check_size(p, assets_max=parameters.assets_max, expiries_max=parameters.expiries_max)
        _check_base(p)
    columns = columns_of(portfolios)
    accounts, expiries, terms = columns.accounts, columns.expiries, parameters.statics
    base = np.asarray([sum(c.amount for c in p.collaterals) for p in portfolios], np.float64)
    base_value = base * accounts.spot / accounts.stable
    values = revalued(
        columns,
        parameters.basis,
        [(s.spot, s.vol) for s in parameters.scenarios],
        shocked_vols(columns, parameters.vol_shock),
    )
    mark = segment_sums(expiries.account_ptr, values[:, 0])
    pnl = _pnl(columns, parameters, values, base_value)
    basis = segment_sums(expiries.account_ptr, basis_losses(columns, parameters.basis, values))
    span = np.minimum(basis, pnl.min(axis=1))
    naked = segment_sums(expiries.account_ptr, expiries.naked)
    perp = np.abs(accounts.perp) * accounts.spot * terms.perp
    option, held = naked * accounts.spot * terms.option, base * accounts.spot * terms.base
    oracle = _oracle(columns, terms, base)
    equity = accounts.perp_value + mark + base_value + accounts.cash
    factor = parameters.initial_factor + np.maximum(terms.peg_threshold - accounts.stable, 0.0) * terms.peg_factor
    risk = span - (perp + option + held)
    return PmrmMargins(
        initial=risk * factor - oracle + equity,
        maintenance=risk + equity,
        mark_to_market=equity,
        cash=accounts.cash,
        pnl=pnl,
        basis=basis,
        span=span,
        worst=np.where(pnl.min(axis=1) < basis, pnl.argmin(axis=1), pnl.shape[1]),
        initial_factor=factor,
        perp=perp,
        option=option,
        base=held,
        oracle=oracle,
    )


def _check_base(portfolio: Portfolio) -> None:
    for c in portfolio.collaterals:
        check.known(c.asset, (portfolio.underlying,), "collateral asset", where="portfolio")
        if c.price != portfolio.feeds.spot:
            raise InvalidInput(
                "price of the underlying held", where="portfolio", value=c.price,
                limit=f"the spot, {portfolio.feeds.spot:g}", remedy="Both are one feed at this manager.",
            )  # fmt: skip


def _pnl(columns: Columns, parameters: PmrmParameters, values: FloatArray, base_value: FloatArray) -> FloatArray:
    """P&L [account, scenario]."""
    accounts, expiries, terms = columns.accounts, columns.expiries, parameters.discount
    rate = np.maximum(expiries.rate, 0.0)
    discount = terms.base * np.exp(-expiries.tenor_years * (rate * terms.mult + terms.add))
    shocked = values[:, 3:]
    gain = np.where(shocked > 0.0, shocked * discount[:, None], shocked) - values[:, :1]
    move = np.asarray([s.spot for s in parameters.scenarios]) - 1.0
    linear = accounts.perp * accounts.perp_price + base_value
    return np.asarray(segment_sums(expiries.account_ptr, gain) + linear[:, None] * move)


def _oracle(columns: Columns, terms: Statics, base: FloatArray) -> FloatArray:
    """What feeds that are not sure cost, initial margin only [account]: (1 − confidence)·margin·notional below the
    threshold, for perpetual and underlying together and for each expiry's options, longs and shorts."""
    accounts, expiries = columns.accounts, columns.expiries
    threshold = wad(terms.confidence_threshold, "confidence threshold", where="parameters")

    def doubt(confidence: IntArray) -> FloatArray:
        return np.where(confidence < threshold, (WAD - confidence) / WAD, 0.0) * terms.confidence_margin

    expiry = doubt(np.minimum(accounts.confidence[expiries.account], expiries.confidence))
    options = segment_sums(expiries.account_ptr, expiry * expiries.gross * accounts.spot[expiries.account])
    return doubt(accounts.confidence) * (np.abs(accounts.perp) + base) * accounts.spot + options
