"""The sums over sorted factors against every pair of factors, on made-up parameters and random portfolios."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.sensitivities.crif import crif_of
from crossmargin.margin.rulebooks.sensitivities.native import margin_of
from crossmargin.margin.rulebooks.sensitivities.parameters import RISK_CLASSES
from crossmargin.margin.rulebooks.sensitivities.rows import MARGINS
from spec.rulebooks import sensitivities as spec
from tests.margin.rulebooks.sensitivity_worlds import KINDS, made_up, random_row

PARAMETERS = made_up()
PLAIN = msgspec.to_builtins(PARAMETERS)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=12)
@given(seeds)
@pytest.mark.parametrize("horizon", [10, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_each_risk_type_agrees_with_its_twin(kind: str, horizon: int, seed: int):
    rng = random.Random(seed)
    rows = [random_row(rng, kind, "Credit") for _ in range(rng.randrange(1, 15))]
    margin = margin_of(crif_of(rows), PARAMETERS, horizon_days=horizon, sides=("post",))
    for number, name in enumerate(RISK_CLASSES):
        expected = spec.class_margin(rows, name, PLAIN, horizon=horizon, currency="USD")
        for part, value in zip(MARGINS, expected, strict=True):
            got = margin.components[0, 1, number, MARGINS.index(part)]
            assert got == pytest.approx(value, rel=1e-9, abs=1e-3), (name, part)


@settings(max_examples=40)
@given(seeds, st.sampled_from((10, 1)), st.sampled_from(("USD", "EUR", "BRL")))
def test_the_total_agrees_with_its_twin(seed: int, horizon: int, currency: str):
    rng = random.Random(seed)
    rows = [random_row(rng) for _ in range(40)]
    rows += [
        {"risk_type": "Param_ProductClassMultiplier", "qualifier": "Equity", "amount_usd": rng.uniform(1.0, 2.0)},
        {"risk_type": "Param_AddOnFixedAmount", "qualifier": "", "amount_usd": rng.uniform(0.0, 1e8)},
        {"risk_type": "Param_AddOnNotionalFactor", "qualifier": "exotic", "amount_usd": rng.uniform(0.0, 20.0)},
        {"risk_type": "Notional", "qualifier": "exotic", "amount_usd": rng.uniform(-1e9, 1e9)},
        {"risk_type": "Notional", "qualifier": "plain", "amount_usd": 1e9},
    ]
    margin = margin_of(crif_of(rows), PARAMETERS, horizon_days=horizon, currency=currency, sides=("collect",))
    assert margin.total[0] == pytest.approx(
        spec.total(rows, PLAIN, horizon=horizon, currency=currency), rel=1e-9, abs=1e-3
    )
