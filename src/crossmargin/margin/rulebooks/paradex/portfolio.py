"""Paradex portfolio margin: 24 weighted scenarios, a floor on delta, provisions for funding and fees.

    IMR = max(SCAN, min delta) + funding + fees          MMR = 50 %·max(SCAN, min delta) + funding + fees

Sources: Paradex documentation, risk, "Portfolio Margin" (2026); what it leaves out (the floor on rising volatilities,
hedged delta, the fee of options, the settlement window) is stated by the venue's own margin library (2026).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import FloatArray
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import Family
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import cash_usd
from crossmargin.margin.rulebooks.rulebook import Certainty, Rulebook, RuleResult, RuleScenario, RuleTerm
from crossmargin.margin.rulebooks.scan_answers import option_value, with_scenarios
from crossmargin.margin.rulebooks.scanning import (
    RiskUnit,
    VolRule,
    losses,
    option_values,
    order_losses,
    shocked_vols,
    unit_pnl,
)
from crossmargin.margin.rulebooks.spreads import sizes, unit_deltas_usd
from crossmargin.margin.rulebooks.units import read_units
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_MINUTES_A_DAY = 1_440.0


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class WeightedMove(_Part, frozen=True, kw_only=True):
    """A scenario: relative moves of the spot and of volatilities at 30 days, and the weight of its loss."""

    spot: float
    vol: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Check all numbers; neither a price nor a volatility can fall by more than all it is worth."""
        check.within(self.spot, "spot move", -0.999, 100.0, where="paradex scenario")
        check.within(self.vol, "volatility move", -1.0, 100.0, where="paradex scenario")
        check.within(self.weight, "weight", 0.0, 10.0, where="paradex scenario")


class CoinRates(_Part, frozen=True, kw_only=True):
    """The rates of a base asset.

    `tenor` says how volatility moves depend on tenor, and their floor; min delta is `unhedged` of net delta notional
    and `hedged` of what is hedged. Maintenance is `maintenance_factor` of the larger of scan and min delta.
    Fees: `fee` of notional, an option's at most `option_fee_cap` of its mark. In the last `settlement_minutes` an
    option's P&L fades to nothing.
    """

    scenarios: tuple[WeightedMove, ...]
    tenor: VolRule
    unhedged: float
    hedged: float
    fee: float
    maintenance_factor: float = 0.5
    option_fee_cap: float = 0.125
    settlement_minutes: float = 30.0
    certainty: Certainty = "exact"

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("unhedged", "hedged", "fee", "option_fee_cap", "maintenance_factor"):
            check.within(getattr(self, name), name, 0.0, 1.0, where="paradex coin rates")
        check.within(self.settlement_minutes, "settlement_minutes", 0.0, _MINUTES_A_DAY, where="paradex coin rates")


class FundedUnit(_Part, frozen=True, kw_only=True):
    """All that is held in one base asset, and what a long perpetual is expected to pay over the provision's hours.

    `funding` is a part of the index. Perpetuals and linear dated options only.
    """

    unit: RiskUnit
    funding: float = 0.0

    def __post_init__(self) -> None:
        """Check the rate, and that the venue lists what is held."""
        check.within(self.funding, "funding", -1.0, 1.0, where=self.unit.coin)
        odd = [x.instrument for x in self.unit.linear if x.kind != "perpetual"]
        odd += [x.instrument for x in self.unit.legs if x.inverse]
        if odd:
            limit, remedy = "linear perpetuals and linear options", "Leave it out: the venue does not list it."
            raise InvalidInput("contract", where="paradex portfolio", value=odd[0], limit=limit, remedy=remedy)


class UnitMargin(_Part, frozen=True, kw_only=True):
    """One base asset, USD; `order_` figures count orders at their worst fill. Scenarios are weighted P&L."""

    coin: str
    scan: float
    min_delta: float
    funding: float
    fees: float
    order_scan: float
    order_min_delta: float
    order_funding: float
    order_fees: float
    initial: float
    maintenance: float
    scenarios: tuple[RuleScenario, ...]
    worst: str


class AccountMargin(_Part, frozen=True, kw_only=True):
    """An account, USD."""

    units: tuple[UnitMargin, ...]
    initial: float
    maintenance: float


def margin_of(portfolio: tuple[FundedUnit, ...], parameters: Mapping[str, CoinRates]) -> AccountMargin:
    """Margin of an account: base assets summed without offset. Raises `UnknownName` for one without rates."""
    units = tuple(unit_margin(one, parameters) for one in portfolio)
    return AccountMargin(
        units=units,
        initial=math.fsum(u.initial for u in units),
        maintenance=math.fsum(u.maintenance for u in units),
    )


def unit_margin(one: FundedUnit, parameters: Mapping[str, CoinRates]) -> UnitMargin:
    """One base asset. Raises `UnknownName` for one without rates."""
    unit = one.unit
    check.known(unit.coin, parameters, "base asset", where="paradex portfolio margin")
    rates = parameters[unit.coin]
    pnl = weighted_pnl(unit, rates)
    loss = losses(unit, pnl)
    scan, order_scan = (max(float(x.max(initial=0.0)), 0.0) for x in (loss, loss + order_losses(unit, pnl)))
    floor, order_floor = (min_delta(unit, rates, orders=o) for o in (False, True))
    funding, order_funding = (_funding(one, orders=o) for o in (False, True))
    fees, order_fees = (_fees(unit, rates, orders=o) for o in (False, True))
    labels = [f"spot {s.spot:+.0%} vol {s.vol:+.0%}" for s in rates.scenarios]
    return UnitMargin(
        coin=unit.coin,
        scan=scan,
        min_delta=floor,
        funding=funding,
        fees=fees,
        order_scan=order_scan,
        order_min_delta=order_floor,
        order_funding=order_funding,
        order_fees=order_fees,
        initial=max(order_scan, order_floor) + order_funding + order_fees,
        maintenance=rates.maintenance_factor * max(scan, floor) + funding + fees,
        scenarios=tuple(RuleScenario(label=n, pnl_usd=-float(x)) for n, x in zip(labels, loss, strict=True)),
        worst=labels[int(np.argmax(loss))] if scan > 0.0 else "",
    )


def weighted_pnl(unit: RiskUnit, rates: CoinRates) -> FloatArray:
    """R with the weight of each scenario, and options in the settlement window faded [leg, scenario]."""
    spot, vol, weight = (np.asarray([getattr(s, name) for s in rates.scenarios]) for name in ("spot", "vol", "weight"))
    pnl = unit_pnl(unit, spot, shocked_vols(unit.options, vol, rates.tenor)) * weight
    window = rates.settlement_minutes
    live = [min(o.days * _MINUTES_A_DAY / window, 1.0) if window else 1.0 for o in unit.options]
    return np.asarray(pnl * np.asarray([1.0] * len(unit.linear) + live)[:, None])


def min_delta(unit: RiskUnit, rates: CoinRates, *, orders: bool = False) -> float:
    """(unhedged·|net delta| + hedged·hedged delta)·index; hedged is the smaller side, long or short.

    With orders, the longest and the shortest that fills can leave count: U = max(L + l − S, S + s − L, 0) unhedged,
    max(L + l, S + s) − U hedged, with L, S what is held and l, s what is on order.
    """
    held, buys, sells = sizes(unit, orders=orders)
    coins = np.concatenate([np.ones(len(unit.linear)), unit_deltas_usd(unit)[len(unit.linear) :] / unit.index])
    long, short = (float(np.maximum(side * held * coins, 0.0).sum()) for side in (1.0, -1.0))
    up, down = np.maximum(coins, 0.0), np.maximum(-coins, 0.0)
    longest, shortest = long + float(buys @ up + sells @ down), short + float(buys @ down + sells @ up)
    unhedged = max(longest - short, shortest - long, 0.0)
    hedged = max(longest, shortest) - unhedged
    return (rates.unhedged * unhedged + rates.hedged * max(hedged, 0.0)) * unit.index


def _funding(one: FundedUnit, *, orders: bool) -> float:
    """What perpetuals are expected to pay, netted, at least 0."""
    held, buys, sells = (q[: len(one.unit.linear)].sum() for q in sizes(one.unit, orders=orders))
    return max(float(max(one.funding * (held + buys), one.funding * (held - sells))) * one.unit.index, 0.0)


def _fees(unit: RiskUnit, rates: CoinRates, *, orders: bool) -> float:
    """What closing costs: positions, and all orders where they count."""
    held, buys, sells = sizes(unit, orders=orders)
    linear = [rates.fee * leg.price for leg in unit.linear]
    options = np.minimum(rates.fee * unit.index, rates.option_fee_cap * option_values(unit))
    return float((np.abs(held) + buys + sells) @ np.concatenate([linear, options]))


class Parameters(_Part, frozen=True, kw_only=True):
    """A dated set: rates by base asset, the hours that funding is provided for, and the collateral taken."""

    source: str
    date: str
    coins: Mapping[str, CoinRates]
    funding_hours: float = 8.0
    collateral: tuple[str, ...] = ("USDC",)

    def __post_init__(self) -> None:
        """Check the hours."""
        check.within(self.funding_hours, "funding_hours", 0.0, 8_760.0, where="paradex portfolio margin")


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book; initial margin counts orders at their worst fill.

    Equity: the collateral taken, debts and unsettled P&L in full, and the value of options.
    """
    families = (Family.PERPETUAL, Family.OPTION)
    coins = parameters.coins
    reading = read_units(book, snapshot, coins=coins, families=families, where=RULEBOOK.id, inverse=False)
    share = parameters.funding_hours / 24.0
    funded = tuple(
        FundedUnit(unit=unit, funding=snapshot.underlyings[coin].funding_daily * share)
        for coin, unit in reading.units.items()
    )
    margins = margin_of(funded, coins)
    cash, unlisted = cash_usd(reading.held, parameters.collateral)
    answer = summed(
        RULEBOOK.id,
        parameters.date,
        [t for one, margin in zip(funded, margins.units, strict=True) for t in _terms(one, margin, parameters)],
        cash + reading.pnl + math.fsum(option_value(u) for u in reading.units.values()),
        notes=(*reading.notes, "portfolio margin is in beta at the venue"),
        refused=(*reading.refused, *unlisted),
    )
    return with_scenarios(answer, {u.coin: (u, u.scan) for u in margins.units})


def _terms(one: FundedUnit, margin: UnitMargin, parameters: Parameters) -> Iterator[RuleTerm]:
    rates = parameters.coins[margin.coin]
    now = "scan" if margin.scan >= margin.min_delta else "minimum delta"
    then = "scan" if margin.order_scan >= margin.order_min_delta else "minimum delta"
    larger, least = max(margin.order_scan, margin.order_min_delta), max(margin.scan, margin.min_delta)
    certainty: Certainty = "approximate" if any(x.buys or x.sells for x in one.unit.legs) else "exact"
    certainty = rates.certainty if rates.certainty != "exact" else certainty
    why = "scenarios carried over from BTC, wider" if rates.certainty == "unknown" else "orders filled at the mark"
    note = "" if certainty == "exact" else why
    for name in ("scan", "minimum delta"):
        initial, maintenance = larger * (name == then), rates.maintenance_factor * least * (name == now)
        if initial or maintenance:
            yield RuleTerm(
                name=f"{margin.coin} {name}", initial=initial, maintenance=maintenance, certainty=certainty, note=note
            )
    provisions = {
        "funding provision": (margin.order_funding, margin.funding, "the market's daily funding, in proportion"),
        "fee provision": (margin.order_fees, margin.fees, "the taker's fee is a reading"),
    }
    for name, (initial, maintenance, reason) in provisions.items():
        if initial or maintenance:
            yield RuleTerm(
                name=f"{margin.coin} {name}",
                initial=initial,
                maintenance=maintenance,
                certainty="approximate",
                note=reason,
            )


RULEBOOK = Rulebook(
    id="paradex-pm",
    name="Paradex portfolio margin (beta)",
    family="scenario",
    products="perpetual, dated option",
    method="worst of 24 weighted scenarios, at least a charge on delta, with provisions for funding and fees",
    formulas="""\
IMR = max(SCAN, min delta) + funding provision (8 h) + fee provision
MMR = 50 %·max(SCAN, min delta) + provisions
SCAN = worst weighted loss;  vol' = vol·(1 + shock·(30/max(1 d, days))^p), p = 0.30 below 30 d, else 0.13; after a rise
at least 40 %;  min delta = (2 %·|net delta| + 1 %·hedged delta)·spot, hedged = the smaller of long and short
fees = rate·notional, of an option min(rate·spot, 12.5 %·mark);  options fade over the last 30 minutes""",
    sources=(
        "Paradex documentation: risk, Portfolio Margin (2026)",
        "Paradex's own margin library in paradex-py (2026): formulas only",
    ),
    certainty="approximate",
    parameters=Parameters,
    folder="paradex",
    evaluate=evaluate,
    open_parts=(
        "perpetual options are not a family of instruments here: they are refused (see paradex-cross, native entry)",
        "parameters of other assets than BTC come from the venue's endpoint: ETH as BTC, SOL twice as wide",
        "the fee rate (`fee`), and orders, which fill at the mark here and at their limit at the venue",
    ),
)
