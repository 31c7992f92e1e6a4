"""Cases of Derive's margin managers, read as conformance packs.

PMRM_2 has one file a portfolio, with all parameters inside. Files of many cases, in integers, are read by
`vectors_derive_integers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from crossmargin.adapters.conformance import Case, Check
from crossmargin.adapters.documents import read_bytes
from crossmargin.adapters.vectors_derive_integers import check_pmrm, check_srm, near
from crossmargin.margin.rulebooks.derive.building import Basis, VolShock, svi_vols, vol_multipliers
from crossmargin.margin.rulebooks.derive.native import (
    YEAR_S,
    Collateral,
    ExpiryFeed,
    Feeds,
    Option,
    Portfolio,
    Svi,
)
from crossmargin.margin.rulebooks.derive.pmrm2 import Pmrm2Margins, margin_of, skew_multipliers
from crossmargin.margin.rulebooks.derive.pmrm2_parameters import (
    SKEWS,
    Contingencies,
    Discounting,
    Haircut,
    Pmrm2Parameters,
    Scenario,
    Shock,
    SkewShock,
)

_MARKET = "underlying"  # The files do not name it.
_NO_LIMIT = 1_000_000  # Nor do they say how many assets an account may hold.
# The volatilities that a file writes down stop at this total variance; the margins in it are of the venue's own, 144.
_VARIANCE_WRITTEN_MAX = 20.0
_VOLS: dict[str, Shock] = {"UP": "up", "DOWN": "down", "NONE": "none", "LINEAR": "linear", "ABS": "abs"}


def read_derive(path: Path) -> Iterator[Case]:
    """All cases of a folder, or of one file, of the shapes above."""
    for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
        document = json.loads(read_bytes(file), parse_float=str)
        if "Parameters" in document:
            yield Case(name=file.stem, check=partial(_check_pmrm2, document))
            continue
        kind = check_srm if "perp_mm" in document["constants"] else check_pmrm
        for name, case in document["cases"].items():
            yield Case(name=f"{file.stem}: {name}", check=partial(kind, document["constants"], case))


def _check_pmrm2(document: dict[str, Any]) -> tuple[Check, ...]:
    scenario, expected = document["Scenario"], document["Result"]
    parameters = pmrm2_parameters(document["Parameters"], scenario["Collaterals"])
    portfolio = pmrm2_portfolio(scenario)
    margins = margin_of(portfolio, parameters)
    return (
        *_checks_of_margins(margins, expected),
        *_checks_of_scenarios(margins, parameters, expected),
        *_checks_of_expiries(margins, scenario, expected),
        *_checks_of_options(portfolio, parameters, scenario, expected),
    )


def pmrm2_portfolio(scenario: dict[str, Any]) -> Portfolio:
    """The portfolio of a PMRM_2 file."""
    return Portfolio(
        underlying=_MARKET,
        feeds=Feeds(
            spot=float(scenario["SpotPrice"]),
            spot_confidence=Decimal(scenario["SpotConfidence"]),
            perp_price=float(scenario["PerpPrice"] or 0.0),
            perp_confidence=Decimal(scenario["PerpConfidence"] or 0),
            stable_price=float(scenario["StablePrice"]),
            expiries=tuple(_expiry_feed(f) for f in scenario["OptionFeeds"]),
        ),
        cash=float(scenario["Cash"]),
        perp=float(scenario["NumPerps"]),
        perp_pnl=float(scenario["UnrealisedPerpPNL"]),
        perp_funding=float(scenario["UnrealisedFunding"]),
        options=tuple(
            Option(
                seconds_to_expiry=_seconds(o["Expiry"]),
                strike=float(o["Strike"]),
                right="call" if int(o["IsCall"]) else "put",
                amount=float(o["Amount"]),
            )
            for o in scenario["Options"]
        ),
        collaterals=tuple(
            Collateral(
                asset=_asset(i, c),
                amount=float(c["Amount"]),
                price=float(c["Price"]),
                confidence=Decimal(c["Confidence"]),
            )
            for i, c in enumerate(scenario["Collaterals"])
        ),
    )


def _seconds(value: str | int) -> int:
    return int(Decimal(value))


def _asset(position: int, collateral: dict[str, Any]) -> str:
    """A name of its own for each line: the terms of a collateral stand beside its amount."""
    return f"{position} {collateral['Name']}"


def _extra(value: str | float) -> float:
    """An add-on of initial margin; the file has it as a difference, whose rounding may be below zero."""
    return max(float(value), 0.0)


def _expiry_feed(feed: dict[str, Any]) -> ExpiryFeed:
    a, b, rho, m, sigma, forward, tenor = (float(x) for x in feed["SVIparam"])
    return ExpiryFeed(
        seconds_to_expiry=_seconds(feed["FeedExpiry"]),
        forward_variable=float(feed["Forward"]),
        rate=float(feed["Rate"]),
        forward_confidence=Decimal(feed["ForwardConfidence"]),
        rate_confidence=Decimal(feed["RateConfidence"]),
        vol_confidence=Decimal(feed["OptionVolConfidences"]),
        svi=Svi(a=a, b=b, rho=rho, m=m, sigma=sigma, forward=forward, tenor_years=tenor),
    )


def pmrm2_parameters(given: dict[str, Any], collaterals: list[dict[str, Any]]) -> Pmrm2Parameters:
    """The parameters of a PMRM_2 file."""
    margin, other, basis = (_numbers(given[name]) for name in ("Margin", "OtherContingency", "BasisContingency"))
    return Pmrm2Parameters(
        source="a file of cases",
        date="",
        initial_factor=margin["IM_LOSS_FACTOR"],
        maintenance_factor=margin["MM_LOSS_FACTOR"],
        scenarios=tuple(
            Scenario(
                spot=float(s["SpotShock"]),
                vol=_VOLS[s["VolShockDirection"].upper()],
                damping=float(s["DampeningFactor"]),
            )
            for s in given["Scenarios"]
        ),
        vol_shock=_vol_shock(_numbers(given["VolShock"])),
        discounting=Discounting(
            long_base=margin["BASE_STATIC_DISCOUNT"],
            long_mult=margin["LONG_RATE_MULTSCALE"],
            long_add=margin["LONG_RATE_ADDSCALE"],
            short_base=margin["BASE_STATIC_DISCOUNT_NEG"],
            short_mult=margin["SHORT_RATE_MULTSCALE"],
            short_add=margin["SHORT_RATE_ADDSCALE"],
        ),
        basis=Basis(
            up=basis["SCENARIO_SPOT_UP"],
            down=basis["SCENARIO_SPOT_DOWN"],
            add=basis["BASIS_CONT_ADD_FACTOR"],
            mult=basis["BASIS_CONT_MULT_FACTOR"],
        ),
        contingencies=Contingencies(
            peg_threshold=other["PEG_LOSS_THRESHOLD"],
            peg_factor=other["PEG_LOSS_FACTOR"],
            confidence_threshold=other["CONF_THRESHOLD"],
            confidence_margin=other["CONF_MARGIN"],
            perp_maintenance=other["MM_PERP_PERCENT"],
            perp_initial_extra=_extra(other["IM_PERP_PERCENT"]),
            option_maintenance=other["MM_OPTION_PERCENT"],
            option_initial_extra=_extra(other["IM_OPTION_PERCENT"]),
        ),
        skew=_skew_shock(_numbers(given["SkewShock"])),
        collaterals={
            _asset(i, c): Haircut(
                maintenance=float(c["MMHaircut"]),
                initial_extra=_extra(c["IMHaircut"]),
                cancels=_MARKET if c["IsRiskCancelling"] else "",
            )
            for i, c in enumerate(collaterals)
        },
        assets_max=_NO_LIMIT,
        expiries_max=_NO_LIMIT,
    )


def _vol_shock(given: dict[str, float]) -> VolShock:
    return VolShock(
        range_up=given["VOLRANGEUP"],
        range_down=given["VOLRANGEDOWN"],
        short_power=given["SHORTTERMPOWER"],
        long_power=given["LONGTERMPOWER"],
        days_floor=given["DTE_FLOOR"],
        vol_floor=given["MIN_VOL_EVAL_SHOCKED"],
    )


def _skew_shock(given: dict[str, float]) -> SkewShock:
    return SkewShock(
        linear_base_cap=given["LINEAR_SCALE_CAP"],
        linear_root_cap=given["LINEAR_CBASE"],
        abs_base_cap=given["ABS_SCALE_CAP"],
        abs_root_cap=given["ABS_CBASE"],
        k_star_min=given["MIN_K_STAR"],
        width_scale=given["MIN_WIDTH_SCALE"],
        vol_static=given["VOL_PARAM_STATIC"],
        vol_scale=given["VOL_PARAM_SCALE"],
    )


def _numbers(table: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in table.items()}


def _checks_of_margins(margins: Pmrm2Margins, expected: dict[str, Any]) -> Iterator[Check]:
    """Every number that an account has once; the file counts add-ons as negative."""
    perp, option, collateral = margins.perp, margins.option, margins.collateral
    got = {
        "IM": margins.initial,
        "MM": margins.maintenance,
        "PortfolioMTM": margins.mark_to_market,
        "Cash": margins.cash,
        "OptionMTM": margins.option_value,
        "CollateralMTM": margins.collateral_value,
        "ForwardContingency": margins.basis,
        "IMLossFactor": margins.initial_factor,
        "MMPerpCont": -perp.maintenance,
        "IMPerpCont": -perp.initial_extra,
        "IMPerpContNormal": -(perp.maintenance + perp.initial_extra),
        "MMOptionCont": -option.maintenance,
        "IMOptionCont": -option.initial_extra,
        "IMOptionContNormal": -(option.maintenance + option.initial_extra),
        "MMBaseCont": -collateral.maintenance,
        "IMBaseCont": -collateral.initial_extra,
        "IMBaseContNormal": -(collateral.maintenance + collateral.initial_extra),
        "OracleCont": -margins.oracle,
    }
    for field, value in got.items():
        yield near(field, float(expected[field]), float(value[0]))
    yield near("MMLossFactor", float(expected["MMLossFactor"]), margins.maintenance_factor)
    funded = float(expected["PerpMTM"]) + float(expected["UnrealisedFunding"])
    yield near("PerpMTM + UnrealisedFunding", funded, float(margins.perp_value[0]))


def _checks_of_scenarios(
    margins: Pmrm2Margins, parameters: Pmrm2Parameters, expected: dict[str, Any]
) -> Iterator[Check]:
    pnl = dict(enumerate(margins.pnl[0].tolist()))
    moves = [i for i, s in enumerate(parameters.scenarios) if s.vol not in SKEWS]
    skews: dict[str, int] = {s.vol: i for i, s in enumerate(parameters.scenarios) if s.vol in SKEWS}
    # The file lists the moves in the order of its scenarios: first the regular ones, then the tails.
    for i, (move, _, loss) in zip(moves, expected["reg_losses"] + expected["tail_losses"], strict=True):
        yield near(f"move of scenario {i}", 1.0 + float(move), parameters.scenarios[i].spot)
        yield near(f"P&L of {parameters.scenarios[i].label}", float(loss), pnl[i])
    for kind, loss in expected["skew_losses"]:
        yield near(f"P&L of {kind} skew", float(loss), pnl[skews[_VOLS[kind.upper()]]])
    worst = {name: float(expected[f"worst_{name}_loss"]) for name in ("reg", "tail", "skew")}
    losses = [loss for name, loss in worst.items() if expected[f"{name}_losses"]]
    yield near("worst loss", min(*losses, float(expected["ForwardContingency"])), float(margins.span[0]))


def _checks_of_expiries(margins: Pmrm2Margins, scenario: dict[str, Any], expected: dict[str, Any]) -> Iterator[Check]:
    """Per expiry, in the order of the file's feeds."""
    row = {int(s): i for i, s in enumerate(margins.expiry_seconds)}
    for i, feed in enumerate(scenario["OptionFeeds"]):
        at, name = row.get(_seconds(feed["FeedExpiry"])), f"of the expiry in {feed['FeedExpiry']} s"
        if at is None:
            continue  # a feed that nothing held needs
        long, short = expected["discount_factors"][i]
        yield near(f"OptionMTM {name}", float(expected["OptionMTMPerExpiry"][i]), float(margins.expiry_value[at]))
        static = float(expected["OptionMTMPerExpiryDiscounted"][i])
        yield near(f"discounted OptionMTM {name}", static, float(margins.expiry_value_static[at]))
        yield near(f"long discount {name}", float(long), float(margins.discount_long[at]))
        yield near(f"short discount {name}", float(short), float(margins.discount_short[at]))


def _checks_of_options(
    portfolio: Portfolio, parameters: Pmrm2Parameters, scenario: dict[str, Any], expected: dict[str, Any]
) -> Iterator[Check]:
    """Mark volatilities and their shocks, option by option."""
    if not portfolio.options:
        return
    feeds = {f.seconds_to_expiry: f for f in portfolio.feeds.expiries}
    strike = np.asarray([o.strike for o in portfolio.options])
    seconds = np.asarray([o.seconds_to_expiry for o in portfolio.options])
    shapes = [f.svi for f in (feeds[int(s)] for s in seconds) if f.svi is not None]
    forward = np.asarray([feeds[int(s)].forward_variable for s in seconds])
    vol = svi_vols(strike, np.asarray([[getattr(s, name) for s in shapes] for name in Svi.__struct_fields__]))
    vol = np.minimum(vol, np.sqrt(_VARIANCE_WRITTEN_MAX / np.asarray([s.tenor_years for s in shapes])))
    up, down = vol_multipliers(seconds, parameters.vol_shock)
    got = {
        "VolShockUpMultiplier": up,
        "VolShockDownMultiplier": down,
        "VolShockUpEvaluated": np.maximum(vol * up, parameters.vol_shock.vol_floor),
        "VolShockDownEvaluated": vol * down,
    }
    for field, values in got.items():
        for i, value in enumerate(values.tolist()):
            yield near(f"{field}[{i}]", float(expected[field][i]), value)
    for i, option in enumerate(scenario["Options"]):
        yield near(f"MarkVol[{i}]", float(option["MarkVol"]), float(vol[i]))
    assert parameters.skew is not None
    for kind in ("linear", "abs"):
        turned = skew_multipliers(strike, forward, seconds / YEAR_S, parameters.skew, kind)
        for i, option in enumerate(scenario["Options"]):
            # The file writes the factor as it is before its floor at zero.
            yield near(f"{kind}_multiplier[{i}]", max(float(option[f"{kind}_multiplier"]), 0.0), float(turned[i]))
