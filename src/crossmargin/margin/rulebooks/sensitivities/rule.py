"""The sensitivity-based rule as a rulebook: an account of a book, under calibrations of the user's."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
import numpy as np

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import format_instant
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.sensitivities.exposures import ExposureSettings, exposures_of
from crossmargin.margin.rulebooks.sensitivities.native import SensitivityMargin, margin_of
from crossmargin.margin.rulebooks.sensitivities.parameters import RISK_CLASSES, SensitivityParameters, parameters_at
from crossmargin.margin.rulebooks.sensitivities.rows import MARGINS, PRODUCTS
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.valuation.pnl import values_usd


class SensitivityRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `evaluate` takes: the user's calibrations, and how the market's underlyings read as their factors."""

    calibrations: tuple[SensitivityParameters, ...]
    exposures: ExposureSettings = ExposureSettings()
    horizon_days: int = 10
    currency: str = "USD"


def evaluate(book: Book, snapshot: Snapshot, parameters: SensitivityRule) -> RuleResult:
    """The margin of one account; terms are each margin's share in the total, so that they add up.

    A share is IM_rk·Σ_s ψ_rs IM_s / IM_product: the derivative of the product's margin by that component, times it.
    """
    if len(book.accounts) != 1:
        raise InvalidInput(
            "number of accounts",
            where=RULEBOOK.id,
            value=len(book.accounts),
            limit="one: a rulebook margins an account",
            remedy="Pass the accounts one at a time.",
        )
    day = dt.date.fromisoformat(format_instant(snapshot.time_ns)[:10])
    calibration = parameters_at(parameters.calibrations, day)
    seen = exposures_of(book, snapshot, parameters.exposures)
    margin = margin_of(
        seen.crif,
        calibration,
        horizon_days=parameters.horizon_days,
        currency=parameters.currency,
        sides=("collect",),
    )
    initial = float(margin.total.sum())
    return RuleResult(
        rulebook=RULEBOOK.id,
        date=calibration.effective,
        initial_usd=initial,
        maintenance_usd=initial,
        equity_usd=_equity(book, snapshot),
        terms=shares(margin) if len(margin.sets) else (),
        certainty="approximate",
        notes=(
            f"parameters {calibration.name} from {calibration.source}",
            "the rule has no maintenance level of its own: it is the initial one",
            "factors that it does not have (carry, pegs, chains, funding) are left out",
        ),
        refused=seen.refused,
    )


def shares(margin: SensitivityMargin, number: int = 0) -> tuple[RuleTerm, ...]:
    """The terms of one set, largest first, adding up to its total."""
    components = margin.components[number]
    classes = components.sum(axis=-1)
    weight = np.divide(
        classes @ margin.psi,
        margin.products[number][:, None],
        out=np.zeros_like(classes),
        where=margin.products[number][:, None] > 0.0,
    )
    share = components * weight[..., None]
    found = [
        RuleTerm(name=f"{PRODUCTS[p]}: {RISK_CLASSES[r]} {MARGINS[k]}", initial=value, maintenance=value)
        for (p, r, k), value in np.ndenumerate(share)
        if value != 0.0
    ]
    if margin.addon[number] > 0.0:
        addon = float(margin.addon[number])
        found.append(RuleTerm(name="add-ons", initial=addon, maintenance=addon))
    return tuple(sorted(found, key=lambda term: -term.initial))


def _equity(book: Book, snapshot: Snapshot) -> float:
    """What is held as collateral, and options and forwards at their value, USD."""
    value = values_usd(book.table, snapshot)
    held = float(book.holdings.quantity @ value[book.holdings.instrument])
    return check.finite(
        held + float(book.positions.quantity @ value[book.positions.instrument]), "equity", where="book"
    )


RULEBOOK: Final = Rulebook(
    id="sensitivity-im",
    name="Sensitivity-based initial margin (delta, vega, curvature)",
    family="sensitivities",
    products="non-centrally cleared derivatives: rates, FX, credit, equity, commodity",
    method="weighted sensitivities, correlated within and across buckets and risk classes",
    formulas=(
        "WS = RW·s·CR, CR = max(1, √(|Σs|/T)); K² = ΣΣ ρ f WS WS; IM = √(ΣK² + ΣΣ γ g S S) + K_residual; "
        "curvature = max(0, ΣCVR + λ√(ΣK² + ΣΣ γ² S S)); product = √(ΣΣ ψ IM IM); "
        "total = Σ multiplier·product + add-ons"
    ),
    sources=("parameters: the user's file", "formulas: the public methodology of the industry's standard model"),
    certainty="approximate",
    parameters=SensitivityRule,
    folder="sensitivities",
    evaluate=evaluate,
    open_parts=("crypto-assets are in no bucket of the rule: they are mapped by the user",),
)
