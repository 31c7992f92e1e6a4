"""Margin from sensitivities: portfolios of random CRIF rows, beside the calculator of Open Risk Engine's Python.

The other side has a published calibration inside, ours an invented one of the same shape: the work is the same, the
numbers are not. Both start from rows already in memory.
"""

import contextlib
import io
import random

import numpy as np

from benchmarks.case import Bar, Case, Contender, optional
from crossmargin.adapters.crif import crif_text, parse_crif
from crossmargin.margin.rulebooks.sensitivities.crif import Crif, crif_of
from crossmargin.margin.rulebooks.sensitivities.native import margin_of
from crossmargin.margin.rulebooks.sensitivities.parameters import (
    Buckets,
    BucketWeights,
    CurrencyGroups,
    Fx,
    FxWeights,
    Rates,
    RatesWeights,
    SensitivityParameters,
)
from crossmargin.margin.rulebooks.sensitivities.tables import tables_of

A_PORTFOLIO = 200  # rows; a netting set of a few dozen trades
SIZES = (2_000, 10_000, 50_000)
SAMPLE = 10  # portfolios that the slow contender does
TENORS = ("2w", "1m", "3m", "6m", "1y", "2y", "3y", "5y", "10y", "15y", "20y", "30y")
CREDIT_TENORS = ("1y", "2y", "3y", "5y", "10y")
CURRENCIES = ("USD", "EUR", "GBP", "AUD", "CAD", "JPY", "CHF", "CNY", "INR", "MXN")
RIVAL = "ORE SimmCalculator"


def equal(size: int, rho: float):
    return tuple(tuple(1.0 if i == j else rho for j in range(size)) for i in range(size))


def buckets(count: int, tenors, *, residual: bool = True, credit: bool = False, **more) -> Buckets:
    order = tuple(str(i + 1) for i in range(count))
    every = (*order, "Residual") if residual else order
    weights = BucketWeights(delta=dict.fromkeys(every, 30.0), vega=dict.fromkeys(every, 0.5), base_correlation=12.0)
    return Buckets(
        order=order,
        weights={"10": weights},
        different=dict.fromkeys(every, 0.3),
        same=dict.fromkeys(every, 0.9) if credit else {},
        between=equal(count, 0.2),
        delta_threshold=dict.fromkeys(every, 1.0),
        vega_threshold=dict.fromkeys(every, 100.0),
        tenors=tenors,
        **more,
    )


def invented() -> SensitivityParameters:
    groups = CurrencyGroups(groups={"one": ("USD", "EUR", "GBP", "JPY"), "two": ("Other",)})
    return SensitivityParameters(
        name="invented",
        source="invented for benchmarks",
        effective="2026-01-01",
        rates=Rates(
            tenors=TENORS,
            sub_curves=("OIS", "Libor3m", "Libor6m"),
            volatility=groups,
            weights={
                "10": RatesWeights(
                    delta=dict.fromkeys(groups.names, (60.0,) * 12),
                    inflation=50.0,
                    basis=20.0,
                    vega=0.2,
                    historical_ratio=0.5,
                )
            },
            tenor_correlation=equal(12, 0.6),
            sub_curve_correlation=0.95,
            inflation_correlation=0.3,
            basis_correlation=0.1,
            currency_correlation=0.2,
            concentration=groups,
            delta_threshold={"one": 100.0, "two": 30.0},
            vega_threshold={"one": 300.0, "two": 100.0},
        ),
        credit_qualifying=buckets(12, CREDIT_TENORS, credit=True, base_correlation=0.3),
        credit_non_qualifying=buckets(2, CREDIT_TENORS, credit=True),
        equity=buckets(12, TENORS, without_curvature=("12",)),
        commodity=buckets(17, TENORS, residual=False),
        fx=Fx(
            tenors=TENORS,
            volatility=groups,
            weights={"10": FxWeights(delta=equal(2, 8.0), vega=0.4, historical_ratio=0.6)},
            correlation=dict.fromkeys(groups.names, equal(2, 0.4)),
            vega_correlation=0.35,
            concentration=groups,
            delta_threshold={"one": 5000.0, "two": 500.0},
            vega_threshold=equal(2, 900.0),
        ),
        risk_class_correlation=equal(6, 0.3),
    )


def draw(rows: int) -> list[dict[str, str | float]]:
    """Rates, FX, equity and credit rows with vegas, in portfolios of `A_PORTFOLIO`."""
    rng, found = random.Random(0), []
    for i in range(rows):
        row: dict[str, str | float] = {"portfolio": f"P{i // A_PORTFOLIO}", "trade": f"t{i}", "im_model": "SIMM"}
        kind = i % 6
        bucket, amount = str(rng.randrange(1, 12)), rng.gauss(0.0, 1e5)
        name = f"ISIN:{rng.randrange(40)}b{bucket}"
        if kind in (0, 1):
            row |= {"product_class": "RatesFX", "risk_type": ("Risk_IRCurve", "Risk_IRVol")[kind], "bucket": "1"}
            row |= {"qualifier": rng.choice(CURRENCIES), "label1": rng.choice(TENORS)}
            row["label2"] = rng.choice(("OIS", "Libor3m", "Libor6m")) if kind == 0 else ""
        elif kind == 2:
            row |= {"product_class": "RatesFX", "risk_type": "Risk_FX", "qualifier": rng.choice(CURRENCIES)}
        elif kind in (3, 4):
            row |= {"product_class": "Equity", "risk_type": ("Risk_Equity", "Risk_EquityVol")[kind - 3]}
            row |= {"qualifier": name, "bucket": bucket, "label1": rng.choice(TENORS) if kind == 4 else ""}
        else:
            row |= {"product_class": "Credit", "risk_type": "Risk_CreditQ", "qualifier": name, "bucket": bucket}
            row |= {"label1": rng.choice(CREDIT_TENORS), "label2": "USD"}
        found.append(row | {"amount_currency": "USD", "amount_usd": amount})
    return found


def _rival_records(rows: list[dict[str, str | float]]):
    """The same rows as records of the other library, portfolio by portfolio."""
    import ORE

    none, crifs = ORE.RegulationSet(), {}
    for row in rows:
        crif = crifs.setdefault(row["portfolio"], ORE.Crif())
        record = ORE.CrifRecord(
            row["trade"],
            "",
            ORE.NettingSetDetails(row["portfolio"]),
            getattr(ORE.CrifRecord, f"ProductClass_{row['product_class']}"),
            getattr(ORE.CrifRecord, f"RiskType_{row['risk_type'].removeprefix('Risk_')}"),
            *(row.get(name, "") for name in ("qualifier", "bucket", "label1", "label2")),
            "USD",
            row["amount_usd"],
            row["amount_usd"],
            ORE.CrifRecord.IMModel_SIMM,
            none,
            none,
        )
        crif.addRecord(record)
    return list(crifs.values())


def _rival(rows: list[dict[str, str | float]]) -> Contender:
    absent = optional("ORE")
    sample = rows[: SAMPLE * A_PORTFOLIO]
    if absent:
        return Contender(name=RIVAL, run=None, cells=len(sample), absent=absent)
    import ORE

    crifs = _rival_records(sample)
    configuration = ORE.SimmConfiguration_ISDA_V2_6(ORE.SimmBucketMapperBase())

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            for crif in crifs:
                ORE.SimmCalculator(crif, configuration)

    return Contender(name=RIVAL, run=run, cells=len(sample))


def _one_by_one(crif: Crif, rows: int):
    tables = tables_of(invented())
    pieces = [crif.take(np.arange(i, i + A_PORTFOLIO)) for i in range(0, rows, A_PORTFOLIO)]
    return lambda: [margin_of(piece, tables) for piece in pieces]


def contest(rows: int) -> list[Contender]:
    drawn = draw(rows)
    crif, tables = crif_of(drawn), tables_of(invented())
    raw = crif_text(crif).encode()
    return [
        Contender(name="all portfolios at once", run=lambda: margin_of(crif, tables), cells=rows),
        _rival(drawn),
        Contender(name="one portfolio at a time", run=_one_by_one(crif, rows), cells=rows),
        Contender(name="from a CSV file", run=lambda: margin_of(parse_crif(raw, where="CSV"), tables), cells=rows),
    ]


def cases() -> list[Case]:
    return [
        Case(
            name="margin from sensitivities",
            unit=f"CRIF rows, {A_PORTFOLIO} a portfolio, collect and post",
            sizes=SIZES,
            contest=contest,
            bars=(Bar(against=RIVAL, ratio_min=10.0),),
        )
    ]
