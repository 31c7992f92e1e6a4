"""The revaluation kernel against one option in one scenario at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.valuation.cells import Financing, Model, OptionRows, SliceShocks, SliceSmiles
from crossmargin.valuation.kernels.revalue import option_pnl, option_values
from spec.kernels import revalue as spec

SLICES, SCENARIOS = 3, 5


def draw(seed: int, *, options: int = 8, mixture: bool = False, shaped: bool = False):
    """Random rows, smiles and shocks; column 0 moves nothing, column 1 lets the options expire."""
    rng = np.random.default_rng(seed)
    grid = (SLICES, SCENARIOS)
    tau = rng.uniform(0.02, 1.5, SLICES)

    def svi() -> np.ndarray:
        level = rng.uniform(0.05, 0.6, SLICES) ** 2 * tau
        b, rho, m = 0.3 * level, rng.uniform(-0.7, 0.5, SLICES), rng.uniform(-0.2, 0.2, SLICES)
        return np.column_stack([0.6 * level, b, rho, m, rng.uniform(0.05, 0.5, SLICES)])

    smiles = SliceSmiles(
        low=svi(),
        high=svi(),
        weight_low=rng.uniform(0.2, 1.0, SLICES),
        weight_high=rng.uniform(0.0, 0.8, SLICES) if mixture else np.zeros(SLICES),
        tau=tau,
        numeraire=rng.uniform(10.0, 1e5, SLICES),
    )

    def moving(x: np.ndarray, still: float | np.ndarray = 0.0) -> np.ndarray:
        x[:, 0] = still
        return x

    def bend(high: float) -> np.ndarray:
        return moving(rng.uniform(-high, high, grid) if shaped else np.zeros(grid))

    after = np.maximum(tau[:, None] - rng.uniform(0.0, 0.1, (1, SCENARIOS)), 0.0)
    after[:, 1] = 0.0
    shocks = SliceShocks(
        move=moving(rng.normal(0.0, 0.2, grid)),
        tau=moving(after, tau),
        vol_multiplier=moving(np.exp(rng.normal(0.0, 0.4, grid)), 1.0),
        vol_floor=moving(rng.uniform(0.0, 0.5, grid)),
        skew_slope=bend(1.5),
        skew_cap=np.abs(bend(0.4)),
        smile_slope=bend(1.5),
        smile_cap=np.abs(bend(0.4)),
        numeraire=moving(rng.uniform(10.0, 1e5, grid), smiles.numeraire),
    )
    rows = OptionRows(
        moneyness=rng.normal(0.0, 0.5, options),
        right=rng.choice([1.0, -1.0], options),
        slice_index=rng.integers(0, SLICES, options).astype(np.int32),
        multiplier=rng.uniform(0.1, 10.0, options),
    )
    damping = rng.uniform(0.2, 1.0, SCENARIOS)
    return rows, smiles, shocks, damping


def twin(rows, smiles, shocks, damping, *, model, sticky, financing=None) -> np.ndarray:
    pnl = np.empty((rows.moneyness.size, damping.size))
    for i, j in enumerate(rows.slice_index):
        fixed = {
            "moneyness": rows.moneyness[i],
            "right": rows.right[i],
            "smile": [
                (smiles.weight_low[j], tuple(smiles.low[j])),
                (smiles.weight_high[j], tuple(smiles.high[j])),
            ],
            "tau": smiles.tau[j],
            "sticky": sticky,
            "model": model,
        }
        now = {"rate": financing.rate[j], "carry": financing.carry[j]} if financing else {}
        before = spec.Cell(tau_after=smiles.tau[j], numeraire=smiles.numeraire[j], **fixed, **now)
        for s in range(damping.size):
            if financing:
                now = {"rate": financing.rate_after[j, s], "carry": financing.carry_after[j, s]}
            after = spec.Cell(
                tau_after=shocks.tau[j, s],
                move=shocks.move[j, s],
                vol_multiplier=shocks.vol_multiplier[j, s],
                vol_floor=shocks.vol_floor[j, s],
                skew_slope=shocks.skew_slope[j, s],
                skew_cap=shocks.skew_cap[j, s],
                smile_slope=shocks.smile_slope[j, s],
                smile_cap=shocks.smile_cap[j, s],
                numeraire=shocks.numeraire[j, s],
                **fixed,
                **now,
            )
            pnl[i, s] = spec.option_pnl(before, after, damping[s], rows.multiplier[i])
    return pnl


@pytest.mark.parametrize("model", [Model.BLACK, Model.NORMAL])
@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]))
def test_option_pnl(model, seed, mixture, shaped, sticky):
    rows, smiles, shocks, damping = draw(seed, mixture=mixture, shaped=shaped)
    got = option_pnl(rows, smiles, shocks, damping, model=model, sticky=sticky)
    expected = twin(rows, smiles, shocks, damping, model=model.value, sticky=sticky)
    # A put is worth up to K/F forwards, and the twin takes differences of that size.
    size = rows.multiplier * 1e5 * np.exp(np.abs(rows.moneyness)) * np.exp(np.abs(shocks.move).max())
    np.testing.assert_allclose(got / size[:, None], expected / size[:, None], rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_option_pnl_of_american_options(seed):
    rows, smiles, shocks, damping = draw(seed, options=3)
    rate, carry = 0.05 * smiles.tau, 0.03 * smiles.tau
    financing = Financing(rate=rate, carry=carry, rate_after=0.06 * shocks.tau, carry_after=0.02 * shocks.tau)
    got = option_pnl(rows, smiles, shocks, damping, model=Model.AMERICAN, financing=financing)
    expected = twin(rows, smiles, shocks, damping, model="american", sticky=1.0, financing=financing)
    size = rows.multiplier * 1e5 * np.exp(np.abs(rows.moneyness)) * np.exp(np.abs(shocks.move).max())
    np.testing.assert_allclose(got / size[:, None], expected / size[:, None], rtol=0.0, atol=2e-4)


@pytest.mark.parametrize("model", [Model.BLACK, Model.NORMAL])
@given(st.integers(0, 10_000))
def test_option_values(model, seed):
    rows, smiles, _, _ = draw(seed, mixture=True)
    got = option_values(rows, smiles, model=model)
    for i, j in enumerate(rows.slice_index):
        cell = spec.Cell(
            moneyness=rows.moneyness[i],
            right=rows.right[i],
            smile=[(smiles.weight_low[j], tuple(smiles.low[j])), (smiles.weight_high[j], tuple(smiles.high[j]))],
            tau=smiles.tau[j],
            tau_after=smiles.tau[j],
            numeraire=smiles.numeraire[j],
            model=model.value,
        )
        tolerance = 1e-13 * rows.multiplier[i] * smiles.numeraire[j] * np.exp(abs(rows.moneyness[i]))
        assert got[i] == pytest.approx(rows.multiplier[i] * spec.option_values(cell), abs=tolerance)
