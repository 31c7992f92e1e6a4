"""Derive's portfolio manager PMRM_2: what an account of one underlying is worth after its worst scenario.

    margin = factor · min(basis, min over s of P&L(s)) − contingencies + mark-to-market + cash, healthy if not negative.

P&L(s) is that of the perpetual, of each expiry's options after a static discount, and of collateral that is of the
underlying itself ("risk-cancelling"), each damped by the scenario. Source: rulebook reference 1.3 and 1.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IntArray
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive.building import segment_sums
from crossmargin.margin.rulebooks.derive.columns import Columns, ExpiryColumns, columns_of
from crossmargin.margin.rulebooks.derive.native import WAD, Portfolio, wad
from crossmargin.margin.rulebooks.derive.pmrm2_parameters import (
    SKEWS,
    Contingencies,
    Discounting,
    Haircut,
    Pmrm2Parameters,
    Scenario,
    SkewShock,
)
from crossmargin.margin.rulebooks.derive.shocks import basis_losses, check_size, revalued, shocked_vols


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contingency:
    """An add-on by account [account], ≥ 0; `initial_extra` counts for initial margin on top of `maintenance`."""

    maintenance: FloatArray
    initial_extra: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pmrm2Margins:
    """Net margins and all that makes them, USD (cash stablecoin), by account unless said otherwise.

    `initial` and `maintenance` are net: healthy at or above zero. `mark_to_market` holds the cash too. `pnl` [account,
    scenario]; `worst` is the scenario that binds, or the number of scenarios where `basis` does. `expiry_*` [expiry]
    are the options of one expiry of one account, `expiry_ptr` [account + 1]: their value, that value after the static
    discount (both unshocked) and the discounts themselves.
    """

    initial: FloatArray
    maintenance: FloatArray
    mark_to_market: FloatArray
    cash: FloatArray
    perp_value: FloatArray
    option_value: FloatArray
    collateral_value: FloatArray
    pnl: FloatArray
    basis: FloatArray
    span: FloatArray
    worst: IntArray
    initial_factor: FloatArray
    maintenance_factor: float
    perp: Contingency
    option: Contingency
    collateral: Contingency
    oracle: FloatArray
    expiry_ptr: IntArray
    expiry_seconds: IntArray
    expiry_value: FloatArray
    expiry_value_static: FloatArray
    discount_long: FloatArray
    discount_short: FloatArray

    def __len__(self) -> int:
        return len(self.initial)

    def maintenance_in(self, scenario: int) -> FloatArray:
        """Net maintenance margin with one scenario in place of the worst (its number of scenarios: the basis): what a
        liquidation auction is run on."""
        loss = self.basis if scenario == self.pnl.shape[1] else self.pnl[:, scenario]
        return self.maintenance + self.maintenance_factor * (loss - self.span)


def margin_of(portfolio: Portfolio, parameters: Pmrm2Parameters) -> Pmrm2Margins:
    """Margins of one portfolio, with every scenario and add-on: `margins_of` of it alone."""
    return margins_of((portfolio,), parameters)


def margins_of(portfolios: Sequence[Portfolio], parameters: Pmrm2Parameters) -> Pmrm2Margins:
    """Margins of many portfolios, in their order; those that share one `Feeds` object read it once.

    Raises `InvalidInput` for numbers out of range, more assets than the manager takes or collateral it does not take,
    and `MissingFactors` where a feed is missing.
    """
    for p in portfolios:
        check_size(p, assets_max=parameters.assets_max, expiries_max=parameters.expiries_max)
    columns = columns_of(portfolios)
    haircuts = [_haircut(parameters, asset) for asset in columns.holding_asset]
    owners = [p for p in portfolios for _ in p.collaterals]
    cancelling = [h.cancels != "" and h.cancels == p.underlying for h, p in zip(haircuts, owners, strict=True)]
    scenarios = [(s.spot, s.vol) for s in parameters.scenarios]
    values = revalued(columns, parameters.basis, scenarios, _vols(columns, parameters))
    values *= np.exp(-np.maximum(columns.expiries.rate, 0.0) * columns.expiries.tenor_years)[:, None]
    mark, basis = values[:, 0], basis_losses(columns, parameters.basis, values)
    discounts = static_discounts(columns.expiries, parameters.discounting)
    pnl = _pnl(columns, parameters, values[:, 3:], mark, discounts, np.asarray(cancelling, np.bool_))
    return _assembled(columns, parameters, haircuts, mark, discounts, basis, pnl)


def _assembled(
    columns: Columns,
    parameters: Pmrm2Parameters,
    haircuts: list[Haircut],
    mark: FloatArray,
    discounts: tuple[FloatArray, FloatArray],
    expiry_basis: FloatArray,
    pnl: FloatArray,
) -> Pmrm2Margins:
    accounts, expiries, terms = columns.accounts, columns.expiries, parameters.contingencies
    basis = segment_sums(expiries.account_ptr, expiry_basis)
    option_value = segment_sums(expiries.account_ptr, mark)
    collateral_value = segment_sums(columns.holding_ptr, columns.value)
    span = np.minimum(basis, pnl.min(axis=1))
    perp, option, collateral = _contingencies(columns, parameters, haircuts)
    oracle = _oracle(columns, terms)
    equity = accounts.perp_value + option_value + collateral_value + accounts.cash
    factor = parameters.initial_factor + np.maximum(terms.peg_threshold - accounts.stable, 0.0) * terms.peg_factor
    held = perp.maintenance + option.maintenance + collateral.maintenance
    extra = perp.initial_extra + option.initial_extra + collateral.initial_extra + oracle
    return Pmrm2Margins(
        initial=factor * span - held - extra + equity,
        maintenance=parameters.maintenance_factor * span - held + equity,
        mark_to_market=equity,
        cash=accounts.cash,
        perp_value=accounts.perp_value,
        option_value=option_value,
        collateral_value=collateral_value,
        pnl=pnl,
        basis=basis,
        span=span,
        worst=np.where(pnl.min(axis=1) < basis, pnl.argmin(axis=1), pnl.shape[1]),
        initial_factor=factor,
        maintenance_factor=parameters.maintenance_factor,
        perp=perp,
        option=option,
        collateral=collateral,
        oracle=oracle,
        expiry_ptr=expiries.account_ptr,
        expiry_seconds=expiries.seconds,
        expiry_value=mark,
        expiry_value_static=discounted(mark, *discounts),
        discount_long=discounts[0],
        discount_short=discounts[1],
    )


def _haircut(parameters: Pmrm2Parameters, asset: str) -> Haircut:
    check.known(asset, parameters.collaterals, "collateral asset", where="portfolio")
    return parameters.collaterals[asset]


def _vols(columns: Columns, parameters: Pmrm2Parameters) -> dict[str, FloatArray]:
    """Volatilities [option] under each of the shocks, skews where the scenarios use them."""
    options, expiries, skew = columns.options, columns.expiries, parameters.skew
    vols = shocked_vols(columns, parameters.vol_shock)
    if skew is not None:
        forward, tenor = expiries.forward[options.expiry], expiries.tenor_years[options.expiry]
        used = {s.vol for s in parameters.scenarios}
        for kind in SKEWS:
            if kind in used:
                vols[kind] = options.vol * skew_multipliers(options.strike, forward, tenor, skew, kind)
    return vols


def skew_multipliers(
    strike: FloatArray, forward: FloatArray, tenor_years: FloatArray, skew: SkewShock, kind: Literal["linear", "abs"]
) -> FloatArray:
    """Factors on the volatility of each option when the smile turns about the forward ("abs": rises on both sides).

    cap = C√T + base, k* = max(k*_min, √T·width·(vol_static + √T·vol_scale)), k = ln(K/F) or |ln(K/F)|; the factor is
    1 + min(cap, k·cap/k*) for k ≥ 0, 1 + max(−cap, k·cap/k*) below, and not negative. Source: 1.4, "Skew scenarios".
    """
    root = np.sqrt(tenor_years)
    base, slope = getattr(skew, f"{kind}_base_cap"), getattr(skew, f"{kind}_root_cap")
    cap = slope * root + base
    k_star = np.maximum(skew.k_star_min, root * skew.width_scale * (skew.vol_static + root * skew.vol_scale))
    if (k_star <= 0.0).any():
        raise InvalidInput(
            "width k* of the skew", where="skew", value=0.0, limit="above 0",
            remedy="Set k_star_min above 0; the venue divides by it.",
        )  # fmt: skip
    # At a strike or forward of 0 no volatility counts.
    live = (strike > 0.0) & (forward > 0.0)
    k = np.log(np.where(live, strike, 1.0) / np.where(live, forward, 1.0))
    k = np.abs(k) if kind == "abs" else k
    turn = k * cap / k_star
    bounded = np.where(k >= 0.0, np.minimum(cap, turn), np.maximum(-cap, turn))
    return np.asarray(np.maximum(1.0 + bounded, 0.0))


def static_discounts(expiries: ExpiryColumns, terms: Discounting) -> tuple[FloatArray, FloatArray]:
    """The factors [expiry] on long and on short values; a short one is at most undone to its undiscounted value, 1/D.

    Source: 1.4, "Static discount".
    """
    tenor, rate = expiries.tenor_years, np.maximum(expiries.rate, 0.0)
    long = terms.long_base * np.exp(-tenor * (rate * terms.long_mult + terms.long_add))
    grown = terms.short_base * np.exp(tenor * (rate * terms.short_mult + terms.short_add))
    return long, np.minimum(np.exp(rate * tenor), grown)


def discounted(value: FloatArray, long: FloatArray, short: FloatArray) -> FloatArray:
    """`value` after the static discount of its own sign; `value` broadcasts against the factors."""
    return np.where(value >= 0.0, value * long, value * short)


def _pnl(
    columns: Columns,
    parameters: Pmrm2Parameters,
    shocked: FloatArray,
    mark: FloatArray,
    discounts: tuple[FloatArray, FloatArray],
    cancelling: BoolArray,
) -> FloatArray:
    """P&L [account, scenario], damped."""
    accounts, expiries = columns.accounts, columns.expiries
    move = np.asarray([s.spot for s in parameters.scenarios]) - 1.0
    skewed = np.asarray([s.vol in SKEWS for s in parameters.scenarios])
    gain = discounted(shocked, discounts[0][:, None], discounts[1][:, None]) - mark[:, None]
    # What a turn of the smile would do to an expiry is taken as lost, whichever way it goes.
    gain = np.where(skewed, -np.abs(gain), gain)
    linear = accounts.perp * accounts.perp_price
    linear = linear + segment_sums(columns.holding_ptr, np.where(cancelling, columns.value, 0.0))
    damping = np.asarray([s.damping for s in parameters.scenarios])
    return np.asarray((segment_sums(expiries.account_ptr, gain) + linear[:, None] * move) * damping)


def _contingencies(
    columns: Columns, parameters: Pmrm2Parameters, haircuts: list[Haircut]
) -> tuple[Contingency, Contingency, Contingency]:
    accounts, terms = columns.accounts, parameters.contingencies
    perp = np.abs(accounts.perp) * accounts.spot
    naked = segment_sums(columns.expiries.account_ptr, columns.expiries.naked) * accounts.spot
    maintenance = np.asarray([h.maintenance for h in haircuts]) * columns.value
    extra = np.asarray([h.initial_extra for h in haircuts]) * columns.value
    return (
        Contingency(maintenance=perp * terms.perp_maintenance, initial_extra=perp * terms.perp_initial_extra),
        Contingency(maintenance=naked * terms.option_maintenance, initial_extra=naked * terms.option_initial_extra),
        Contingency(
            maintenance=segment_sums(columns.holding_ptr, maintenance),
            initial_extra=segment_sums(columns.holding_ptr, extra),
        ),
    )


def _oracle(columns: Columns, terms: Contingencies) -> FloatArray:
    """What feeds that are not sure cost, initial margin only [account].

    (1 − confidence)·margin·notional below the threshold, for the perpetual, each expiry (all its options, longs and
    shorts) and each collateral (its own feed and the spot's; never the perpetual's). Source: 1.4, "Oracle".
    """
    accounts, expiries = columns.accounts, columns.expiries
    threshold = wad(terms.confidence_threshold, "confidence threshold", where="contingencies")

    def doubt(confidence: IntArray) -> FloatArray:
        return np.where(confidence < threshold, (WAD - confidence) / WAD, 0.0) * terms.confidence_margin

    expiry = doubt(np.minimum(accounts.confidence[expiries.account], expiries.confidence))
    owner = np.repeat(np.arange(len(accounts.spot)), np.diff(columns.holding_ptr))
    holding = doubt(np.minimum(accounts.spot_confidence[owner], columns.confidence)) * columns.value
    options = segment_sums(expiries.account_ptr, expiry * expiries.gross * accounts.spot[expiries.account])
    perp = doubt(accounts.confidence) * np.abs(accounts.perp) * accounts.spot
    return perp + options + segment_sums(columns.holding_ptr, holding)


def assessor_parameters(parameters: Pmrm2Parameters) -> Pmrm2Parameters:
    """The same rule with the scenarios on which a trusted risk assessor is checked: basis up, basis down, no move."""
    spots = (parameters.basis.up, parameters.basis.down, 1.0)
    return msgspec.structs.replace(parameters, scenarios=tuple(Scenario(spot=s, vol="none") for s in spots))
