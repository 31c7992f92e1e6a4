"""Made-up parameters and random sensitivities. No number here is of any published calibration."""

from __future__ import annotations

import random

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

TENORS = ("2w", "3m", "1y", "5y", "20y")
CREDIT_TENORS = ("1y", "5y")
CURRENCIES = ("USD", "EUR", "JPY", "BRL", "PLN")
SUB_CURVES = ("OIS", "Libor3m", "Libor6m")
HORIZONS = ("10", "1")
KINDS = (
    "Risk_IRCurve", "Risk_Inflation", "Risk_XCcyBasis", "Risk_IRVol", "Risk_InflationVol", "Risk_CreditQ",
    "Risk_CreditVol", "Risk_BaseCorr", "Risk_CreditNonQ", "Risk_CreditVolNonQ", "Risk_Equity", "Risk_EquityVol",
    "Risk_Commodity", "Risk_CommodityVol", "Risk_FX", "Risk_FXVol",
)  # fmt: skip
PRODUCTS = ("RatesFX", "Credit", "Equity", "Commodity")


def square(size: int, rho: float) -> tuple[tuple[float, ...], ...]:
    """Ones on the diagonal, `rho` elsewhere."""
    return tuple(tuple(1.0 if i == j else rho for j in range(size)) for i in range(size))


def _buckets(names: tuple[str, ...], *, residual: bool, credit: bool, rng: random.Random, **more) -> Buckets:
    every = (*names, "Residual") if residual else names

    def drawn(low: float, high: float) -> dict[str, float]:
        return {name: round(rng.uniform(low, high), 3) for name in every}

    weights = {
        days: BucketWeights(
            delta=drawn(5.0, 90.0),
            vega=drawn(0.1, 0.9),
            historical_ratio=1.0 if credit else 0.61,
            base_correlation=13.0 if more.get("base_correlation") else None,
        )
        for days in HORIZONS
    }
    return Buckets(
        order=names,
        weights=weights,
        different=drawn(0.1, 0.5),
        same=drawn(0.6, 0.9) if credit else {},
        between=square(len(names), round(rng.uniform(0.05, 0.4), 3)),
        delta_threshold=drawn(0.5, 5.0),
        vega_threshold=drawn(5.0, 50.0),
        tenors=CREDIT_TENORS if credit else TENORS,
        **more,
    )


def made_up(seed: int = 7) -> SensitivityParameters:
    """A calibration of invented numbers."""
    rng = random.Random(seed)
    regular = CurrencyGroups(groups={"calm": ("USD", "EUR", "JPY"), "wild": ("BRL", "Other")})
    sizes = CurrencyGroups(groups={"deep": ("USD", "EUR"), "thin": ("JPY", "BRL", "Other")})
    rates = Rates(
        tenors=TENORS,
        sub_curves=SUB_CURVES,
        volatility=regular,
        weights={
            days: RatesWeights(
                delta={g: tuple(round(rng.uniform(20.0, 99.0), 1) for _ in TENORS) for g in regular.names},
                inflation=41.0,
                basis=17.0,
                vega=0.29,
                historical_ratio=0.66,
            )
            for days in HORIZONS
        },
        tenor_correlation=square(len(TENORS), 0.58),
        sub_curve_correlation=0.97,
        inflation_correlation=0.31,
        basis_correlation=0.07,
        currency_correlation=0.19,
        concentration=sizes,
        delta_threshold={"deep": 21.0, "thin": 4.0},
        vega_threshold={"deep": 90.0, "thin": 30.0},
    )
    fx = Fx(
        tenors=TENORS,
        volatility=regular,
        weights={
            days: FxWeights(delta=((6.1, 11.3), (11.3, 15.9)), vega=0.41, historical_ratio=0.57) for days in HORIZONS
        },
        correlation={"calm": ((0.45, 0.22), (0.22, 0.51)), "wild": ((0.8, 0.5), (0.5, 0.43))},
        vega_correlation=0.37,
        concentration=sizes,
        delta_threshold={"deep": 900.0, "thin": 120.0},
        vega_threshold=((700.0, 300.0), (300.0, 100.0)),
    )
    return SensitivityParameters(
        name="made-up",
        source="invented for tests",
        effective="2026-01-01",
        until="2026-12-31",
        rates=rates,
        credit_qualifying=_buckets(("1", "2", "3"), residual=True, credit=True, rng=rng, base_correlation=0.33),
        credit_non_qualifying=_buckets(("1", "2"), residual=True, credit=True, rng=rng),
        equity=_buckets(("1", "2", "12"), residual=True, credit=False, rng=rng, without_curvature=("12",)),
        commodity=_buckets(("1", "2"), residual=False, credit=False, rng=rng),
        fx=fx,
        risk_class_correlation=square(6, 0.23),
    )


def random_row(rng: random.Random, kind: str = "", product: str = "") -> dict[str, str | float]:
    """A sensitivity of a size at which concentration may or may not bind; qualifiers repeat, so that rows net."""
    kind = kind or rng.choice(KINDS)
    row: dict[str, str | float] = {"risk_type": kind, "product_class": product or rng.choice(PRODUCTS)}
    row |= {"qualifier": f"name {rng.randrange(3)}", "bucket": "", "label1": "", "label2": ""}
    scale = 1e6
    if kind in ("Risk_IRCurve", "Risk_Inflation", "Risk_XCcyBasis", "Risk_IRVol", "Risk_InflationVol"):
        scale = 5e7 if "Vol" in kind else 8e6
        row |= {"qualifier": rng.choice(CURRENCIES), "bucket": "1", "label1": rng.choice(TENORS)}
        row["label2"] = rng.choice(SUB_CURVES) if kind == "Risk_IRCurve" else ""
    elif "Credit" in kind:
        names = ("1", "2", "Residual") if "NonQ" in kind else ("1", "2", "3", "Residual")
        row |= {"bucket": rng.choice(names), "label1": rng.choice(CREDIT_TENORS)}
        row["label2"] = rng.choice(("A", "B") if "NonQ" in kind else ("USD", "EUR"))
        scale = 2e7 if "Vol" in kind else 1e6
    elif kind == "Risk_FX":
        row["qualifier"], scale = rng.choice(CURRENCIES), 5e8
    elif kind == "Risk_FXVol":
        row |= {"qualifier": "".join(rng.sample(CURRENCIES, 2)), "label1": rng.choice(TENORS)}
        scale = 1e7
    elif kind != "Risk_BaseCorr":
        equity = "Equity" in kind
        row["bucket"] = rng.choice(("1", "2", "12", "Residual") if equity else ("1", "2"))
        row["label1"] = rng.choice(TENORS) if "Vol" in kind else ""
    row["amount_usd"] = rng.choice((-1.0, 1.0)) * scale * 10.0 ** rng.uniform(-1.5, 1.0)
    return row
