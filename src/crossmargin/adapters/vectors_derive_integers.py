"""Cases of Derive's first portfolio manager and of its standard manager: files of many cases in integers of 1e-18.

Lists run in step, one entry an option; parameters stand at the top of a file as plain decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from crossmargin.adapters.conformance import Check, compare
from crossmargin.margin.rulebooks.derive import pmrm, srm
from crossmargin.margin.rulebooks.derive.building import Basis, VolShock, vol_multipliers
from crossmargin.margin.rulebooks.derive.native import (
    SETTLEMENT_WINDOW_S,
    Collateral,
    ExpiryFeed,
    Feeds,
    Option,
    Portfolio,
)

near = partial(compare, relative=1e-9, absolute=1e-6)

_BASE = "base"
_MARKETS = ("ETH", "BTC")  # The order of the pairs in a case of the standard manager.
_NO_LIMIT = 1_000_000  # The files do not say how many assets an account may hold.


def _units(value: Any) -> float:
    """A fixed-point integer (or its decimal text) in whole units; absent is zero."""
    return float(_exact(value))


def _exact(value: Any) -> Decimal:
    return Decimal(value or 0).scaleb(-18)


def _options(scenario: dict[str, Any], rows: list[int]) -> tuple[Option, ...]:
    return tuple(
        Option(
            seconds_to_expiry=int(scenario["OptionExpiries"][i]),
            strike=_units(scenario["OptionStrikes"][i]),
            right="call" if int(scenario["OptionIsCall"][i]) else "put",
            amount=_units(scenario["OptionAmounts"][i]),
            vol=_units(scenario["OptionVols"][i]),
        )
        for i in rows
    )


def _rows_of(scenario: dict[str, Any], market: str) -> list[int]:
    return [i for i, underlying in enumerate(scenario["OptionUnderlying"]) if underlying == market]


def _lowest(scenario: dict[str, Any], field: str, rows: list[int]) -> Decimal:
    return min(_exact(scenario[field][i]) for i in rows)


def _by_expiry(scenario: dict[str, Any], rows: list[int]) -> dict[int, list[int]]:
    expiries: dict[int, list[int]] = {}
    for i in rows:
        expiries.setdefault(int(scenario["OptionExpiries"][i]), []).append(i)
    return expiries


def check_pmrm(constants: dict[str, Any], case: dict[str, Any]) -> tuple[Check, ...]:
    """Run one case of the first portfolio manager."""
    scenario, expected = case["Scenario"], case["Result"]
    parameters, portfolio = pmrm_parameters(constants), pmrm_portfolio(scenario)
    margins = pmrm.margin_of(portfolio, parameters)
    got = {
        "InitialMarginHand": margins.initial,
        "MaintenanceMarginHand": margins.maintenance,
        "InitialMarginCalc": margins.initial,
        "MaintenanceMarginCalc": margins.maintenance,
        "PortfolioMTM": margins.mark_to_market,
        "Cash": margins.cash,
        "MinSpan": margins.span,
        "ForwardContingency": margins.basis,
        "LossFactor": margins.initial_factor,
        "PerpContingency": -margins.perp,
        "BaseContingency": -margins.base,
        "OptionContingency": -margins.option,
        "OracleContingency": -margins.oracle,
    }
    checks = [near(field, _units(expected[field]), float(value[0])) for field, value in got.items()]
    up, down = vol_multipliers(
        np.asarray([o.seconds_to_expiry for o in portfolio.options], np.int64), parameters.vol_shock
    )
    for field, values in (("VolShockUp", up), ("VolShockDown", down)):
        checks += [near(f"{field}[{i}]", float(scenario[field][i]), float(x)) for i, x in enumerate(values)]
    return tuple(checks)


def pmrm_portfolio(scenario: dict[str, Any]) -> Portfolio:
    """The portfolio of a case of the first portfolio manager."""
    rows = list(range(len(scenario["OptionExpiries"])))
    spot, base = _units(scenario["SpotPrice"]), _units(scenario["Base"])
    return Portfolio(
        underlying=_BASE,
        feeds=Feeds(
            spot=spot,
            spot_confidence=_exact(scenario["SpotConfidence"]),
            perp_price=_units(scenario["PerpPrice"]),
            perp_confidence=_exact(scenario["PerpConfidence"]),
            stable_price=_units(scenario["StablePrice"]),
            expiries=tuple(
                ExpiryFeed(
                    seconds_to_expiry=seconds,
                    forward_variable=_units(scenario["ForwardsVariable"][at[0]]),
                    forward_fixed=_units(scenario["ForwardsFixed"][at[0]]),
                    rate=_units(scenario["Rates"][at[0]]),
                    forward_confidence=_lowest(scenario, "ForwardConfidences", at),
                    rate_confidence=_lowest(scenario, "RateConfidences", at),
                    vol_confidence=_lowest(scenario, "OptionVolConfidences", at),
                )
                for seconds, at in _by_expiry(scenario, rows).items()
            ),
        ),
        cash=_units(scenario["Cash"]),
        perp=_units(scenario["Perps"]),
        perp_pnl=_units(scenario["UnrealisedPerpPNL"]),
        perp_funding=_units(scenario["UnrealisedFunding"]),
        options=_options(scenario, rows),
        collaterals=(Collateral(asset=_BASE, amount=base, price=spot),) if base else (),
    )


def pmrm_parameters(constants: dict[str, Any]) -> pmrm.PmrmParameters:
    """The parameters at the top of a file of the first portfolio manager."""
    numbers = {k: {n: float(x) for n, x in v.items()} for k, v in constants.items() if isinstance(v, dict)}
    basis, other, margin, vol = (numbers[name] for name in ("basis", "other", "margin", "vol"))
    spots, vols = (part.split(",") for part in re.findall(r"\{([^}]*)\}", constants["scenario_grid"]))
    return pmrm.PmrmParameters(
        source="a file of cases",
        date="",
        initial_factor=margin["imFactor"],
        scenarios=tuple(pmrm.Move(spot=float(s), vol=_shock(v)) for s in spots for v in vols),
        vol_shock=VolShock(
            range_up=vol["up"],
            range_down=vol["down"],
            short_power=vol["shortPow"],
            long_power=vol["longPow"],
            days_floor=vol["dteFloorDays"],
        ),
        discount=pmrm.StaticDiscount(
            base=margin["baseStaticDiscount"], mult=margin["rateMultScale"], add=margin["rateAddScale"]
        ),
        basis=Basis(up=basis["up"], down=basis["down"], add=basis["add"], mult=basis["mult"]),
        statics=pmrm.Statics(
            perp=other["perpPercent"],
            option=other["optionPercent"],
            base=other["basePercent"],
            peg_threshold=other["pegLossThreshold"],
            peg_factor=other["pegLossFactor"],
            confidence_threshold=other["confThreshold"],
            confidence_margin=other["confMargin"],
        ),
        assets_max=_NO_LIMIT,
        expiries_max=_NO_LIMIT,
    )


def _shock(name: str) -> pmrm.PlainShock:
    shocks: dict[str, pmrm.PlainShock] = {"up": "up", "down": "down", "none": "none"}
    return shocks[name.strip()]


def check_srm(constants: dict[str, Any], case: dict[str, Any]) -> tuple[Check, ...]:
    """Run one case of the standard manager."""
    expected = case["Result"]
    margins = srm.margin_of(srm_portfolio(case["Scenario"]), srm_parameters(constants))
    return (*_checks_of_account(margins, expected), *_checks_of_options(margins, case["Scenario"], expected))


def _checks_of_account(margins: srm.SrmMargins, expected: dict[str, Any]) -> Iterator[Check]:
    got = {
        "realIM": margins.net.initial,
        "realMM": margins.net.maintenance,
        "HandMM": margins.net.maintenance,
        "PortfolioMtM": margins.mark_to_market,
        "PerpMargin": margins.perp.maintenance,
        "BaseMargin": margins.base.maintenance,
        "OracleConts": margins.oracle,
        "DepegIMs": margins.depeg,
        "Cash": margins.cash,
    }
    for field, value in got.items():
        yield near(field, _units(expected[field]), float(value.sum()))
    paid = _units(expected["UnrealizedPNL"]) + _units(expected["UnsettledFunding"])
    yield near("UnrealizedPNL + UnsettledFunding", paid, float(margins.perp_value.sum()))


def _checks_of_options(margins: srm.SrmMargins, scenario: dict[str, Any], expected: dict[str, Any]) -> Iterator[Check]:
    """By market: what its options cost, and both ways of counting it.

    The file sums isolated margins over expiries, but of the maximum losses keeps that of one expiry: the last to appear
    in its list. The cost of all, which is their lesser, is summed.
    """
    for m, market in enumerate(margins.markets):
        expiries = slice(int(margins.expiry_ptr[m]), int(margins.expiry_ptr[m + 1]))
        last = list(_by_expiry(scenario, _rows_of(scenario, market)))[-1:]
        shown = np.isin(margins.expiry_seconds[expiries], last)
        for level, side in (("IM", "initial"), ("MM", "maintenance")):
            got = {
                "Isolated": getattr(margins.isolated, side)[expiries].sum(),
                "Bounded": getattr(margins.bounded, side)[expiries][shown].sum(),
                "": getattr(margins.option, side)[m],
            }
            for kind, value in got.items():
                yield near(
                    f"{market}Option{kind}{level}", _units(expected[f"{market}Option{kind}{level}"]), float(value)
                )


def srm_portfolio(scenario: dict[str, Any]) -> srm.SrmPortfolio:
    """The portfolio of a case of the standard manager."""
    return srm.SrmPortfolio(
        cash=_units(scenario["Cash"]),
        markets=tuple(_srm_market(scenario, name, at) for at, name in enumerate(_MARKETS)),
    )


def _srm_market(scenario: dict[str, Any], name: str, at: int) -> srm.Market:
    rows = _rows_of(scenario, name)
    perp, price = _units(scenario[f"Perps_{name}"]), _units(scenario["PerpPrice"][at])
    index = _units(scenario[f"{name}GlobalFundingIndex"]) - _units(scenario[f"Account{name}FundingIndex"])
    spot_confidence, perp_confidence = (_exact(x) for x in scenario["SpotPerpConfidences"][at])
    return srm.Market(
        underlying=name,
        feeds=Feeds(
            spot=_units(scenario[f"{name}SpotPrice"]),
            spot_confidence=spot_confidence,
            perp_price=price,
            perp_confidence=perp_confidence,
            stable_price=_units(scenario["USDCValue"]),
            expiries=tuple(
                _srm_feed(scenario, name, seconds, held) for seconds, held in _by_expiry(scenario, rows).items()
            ),
        ),
        perp=perp,
        perp_pnl=perp * (price - _units(scenario[f"LastEntry{name}"])) if perp else 0.0,
        perp_funding=-perp * index if perp else 0.0,
        base=_units(scenario[f"w{name}"]),
        options=_options(scenario, rows),
    )


def _srm_feed(scenario: dict[str, Any], name: str, seconds: int, rows: list[int]) -> ExpiryFeed:
    """The share of the settlement average that is known stands in the file; it is none before the window opens."""
    settling = seconds < SETTLEMENT_WINDOW_S
    known = float(scenario[f"PercentFixed{name}"] or 0.0) if settling else 0.0
    return ExpiryFeed(
        seconds_to_expiry=seconds,
        forward_variable=_units(scenario["Forwards"][rows[0]]) * (1.0 - known),
        forward_fixed=_units(scenario[f"TWAP_{name}"]) * known,
        forward_confidence=_lowest(scenario, "ForwardConfidences", rows),
        vol_confidence=_lowest(scenario, "OptionVolConfidences", rows),
    )


def srm_parameters(constants: dict[str, Any]) -> srm.SrmParameters:
    """The parameters at the top of a file of the standard manager, the same for both markets."""
    option = {name: float(value) for name, value in constants["option"].items()}
    oracle, base = constants["oracle_contingency"], constants["base_margin_factor"]
    terms = srm.MarketTerms(
        perp_initial=float(constants["perp_im"]),
        perp_maintenance=float(constants["perp_mm"]),
        option=srm.OptionTerms(
            spot_max=option["maxSpotReq"],
            spot_min=option["minSpotReq"],
            maintenance_call=option["mmCallSpotReq"],
            maintenance_put=option["mmPutSpotReq"],
            maintenance_put_mark=option["MMPutMtMReq"],
            unpaired_initial=option["unpairedIMScale"],
            unpaired_maintenance=option["unpairedMMScale"],
            put_offset=option["mmOffsetScale"],
        ),
        oracle=srm.OracleTerms(
            perp_threshold=Decimal(oracle["perpThreshold"]),
            option_threshold=Decimal(oracle["optionThreshold"]),
            base_threshold=Decimal(oracle["baseThreshold"]),
            factor=float(oracle["OCFactor"]),
        ),
        base_factor=float(base["margin_factor"]),
        base_initial_scale=float(base["im_scale"]),
    )
    return srm.SrmParameters(
        source="a file of cases",
        date="",
        markets=dict.fromkeys(_MARKETS, terms),
        depeg_threshold=float(constants["depeg"]["threshold"]),
        depeg_factor=float(constants["depeg"]["factor"]),
        assets_max=_NO_LIMIT,
    )
