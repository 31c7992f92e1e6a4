"""Revaluation: the unshocked column, parity, limits and bad numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.valuation.cells import Financing, Model, OptionRows
from crossmargin.valuation.kernels.revalue import option_pnl, option_values
from tests.differential.test_kernels_revalue import draw

MODELS = [Model.BLACK, Model.NORMAL]


@pytest.mark.parametrize("model", MODELS)
@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.sampled_from([0.0, 1.0]))
def test_nothing_moves_nothing_gained(model, seed, mixture, shaped, sticky):
    case = draw(seed, options=40, mixture=mixture, shaped=shaped)
    assert (option_pnl(*case, model=model, sticky=sticky)[:, 0] == 0.0).all()


def test_nothing_moves_nothing_gained_by_american_options():
    rows, smiles, shocks, damping = draw(7, options=12)
    financing = Financing(
        rate=0.05 * smiles.tau, carry=0.02 * smiles.tau, rate_after=0.05 * shocks.tau, carry_after=0.02 * shocks.tau
    )
    pnl = option_pnl(rows, smiles, shocks, damping, model=Model.AMERICAN, financing=financing)
    assert (pnl[:, 0] == 0.0).all()
    values = option_values(rows, smiles, model=Model.AMERICAN, financing=financing)
    # D·F·(American price) is at least the European price, and at least what exercise brings.
    assert (values >= option_values(rows, smiles) - 1e-9 * np.abs(values)).all()


@pytest.mark.parametrize("model", MODELS)
@given(st.integers(0, 10_000))
def test_parity_in_every_scenario(model, seed):
    """A call less a put of one strike is a forward: its P&L knows no volatility."""
    rows, smiles, shocks, damping = draw(seed, mixture=True, shaped=True)
    call = option_pnl(replace(rows, right=np.ones(8)), smiles, shocks, damping, model=model)
    put = option_pnl(replace(rows, right=-np.ones(8)), smiles, shocks, damping, model=model)
    j, k = rows.slice_index, rows.moneyness[:, None]
    after = k - shocks.move[j]
    if model is Model.BLACK:
        before, now = 1.0 - np.exp(k), 1.0 - np.exp(after)
    else:
        before, now = -k, -after
    forward = now * shocks.numeraire[j] - before * smiles.numeraire[j][:, None]
    expected = damping * rows.multiplier[:, None] * forward
    size = 1e6 * np.exp(np.abs(after).max())
    np.testing.assert_allclose((call - put) / size, expected / size, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("model", MODELS)
@given(st.integers(0, 10_000))
def test_expiry_leaves_intrinsic_value(model, seed):
    rows, smiles, shocks, damping = draw(seed)
    shocks = replace(shocks, vol_floor=np.zeros_like(shocks.vol_floor))
    pnl = option_pnl(rows, smiles, shocks, damping, model=model)[:, 1]  # τ' = 0 in column 1
    after = rows.moneyness - shocks.move[rows.slice_index, 1]
    gain = 1.0 - np.exp(after) if model is Model.BLACK else -after
    intrinsic = np.maximum(rows.right * gain, 0.0) * shocks.numeraire[rows.slice_index, 1]
    value = option_values(rows, smiles, model=model)
    expected = damping[1] * (rows.multiplier * intrinsic - value)
    np.testing.assert_allclose(pnl, expected, rtol=1e-12, atol=1e-6)


@given(st.integers(0, 10_000), st.permutations(range(8)))
def test_order_of_rows_changes_nothing(seed, order):
    rows, *market = draw(seed, mixture=True, shaped=True)
    order = np.array(order)
    shuffled = OptionRows(
        moneyness=rows.moneyness[order],
        right=rows.right[order],
        slice_index=rows.slice_index[order],
        multiplier=rows.multiplier[order],
    )
    assert (option_pnl(shuffled, *market) == option_pnl(rows, *market)[order]).all()


def test_a_column_does_not_depend_on_its_place_or_on_threads():
    """One column among thousands, in a vector or in what is left over, has the same bits."""
    rows, smiles, shocks, damping = draw(3, options=300)  # enough cells for two threads
    pick = np.random.default_rng(0).integers(0, damping.size, 1500)
    wide = type(shocks)(**{name: getattr(shocks, name)[:, pick] for name in shocks.__dataclass_fields__})
    narrow = option_pnl(rows, smiles, shocks, damping)
    for threads in (1, 2):
        assert (option_pnl(rows, smiles, wide, damping[pick], threads=threads) == narrow[:, pick]).all()


def test_wings_and_great_volatilities_stay_numbers():
    rows, smiles, shocks, damping = draw(1, options=6)
    rows = replace(rows, moneyness=np.array([-30.0, -8.0, 0.0, 0.0, 8.0, 30.0]))
    for factor in (0.0, 1e-300, 1e-12, 1e3, 1e12):
        wild = replace(shocks, vol_multiplier=np.full_like(shocks.vol_multiplier, factor))
        for model in MODELS:
            assert np.isfinite(option_pnl(rows, smiles, wild, damping, model=model)).all()


@pytest.mark.parametrize("field", ["move", "vol_multiplier", "vol_floor", "numeraire", "skew_slope", "skew_cap"])
def test_a_nan_is_not_lost(field):
    rows, smiles, shocks, damping = draw(2, shaped=True)
    broken = getattr(shocks, field).copy()
    broken[:, 3] = np.nan
    pnl = option_pnl(rows, smiles, replace(shocks, **{field: broken}), damping)
    assert np.isnan(pnl[:, 3]).all()
    assert np.isfinite(np.delete(pnl, 3, axis=1)).all()
