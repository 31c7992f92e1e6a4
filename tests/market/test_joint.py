"""The joint fit: inside the constraints always, and as near to its targets as they let it be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.market import ssvi
from crossmargin.market.arbitrage import examine
from crossmargin.market.joint import Targets, constraint_grid, fit_jointly
from crossmargin.market.svi import total_variance
from tests.market.option_chains import SHAPE

TENOR = np.array([0.01, 0.05, 0.25, 1.0])
STEPS = np.linspace(-2.5, 2.5, 15)


def targets_on(smiles: np.ndarray, noise: np.ndarray) -> Targets:
    k = (np.sqrt(total_variance(np.zeros(1), smiles))[:, None] * STEPS).ravel()
    vol = np.sqrt(total_variance(k, np.repeat(smiles, STEPS.size, axis=0)) / np.repeat(TENOR, STEPS.size))
    start = STEPS.size * np.arange(TENOR.size + 1)
    scale = np.full(k.size, 0.002)
    return Targets(tenor_years=TENOR, start=start, k=k, vol=vol * noise, scale=scale, huber=3.0)


def misses(params: np.ndarray, targets: Targets) -> np.ndarray:
    counts = np.diff(targets.start)
    fitted = total_variance(targets.k, np.repeat(params, counts, axis=0)) / np.repeat(targets.tenor_years, counts)
    return np.sqrt(fitted) - targets.vol


def cost(params: np.ndarray, targets: Targets) -> float:
    r = np.abs(misses(params, targets) / targets.scale)
    return float(np.where(r > targets.huber, targets.huber * (r - 0.5 * targets.huber), 0.5 * r**2).sum())


def test_a_free_surface_is_found_again():
    truth = SHAPE.smiles(0.36 * TENOR)
    targets = targets_on(truth, np.ones(STEPS.size * TENOR.size))
    anchor = ssvi.Ssvi(rho=0.0, eta=0.8, gamma=0.3).smiles(0.3 * TENOR)
    fit = fit_jointly(anchor, anchor, targets, constraint_grid(0.3 * TENOR))
    assert np.abs(misses(fit.params, targets)).max() < 1e-3
    assert examine(fit.params).is_free


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.2))
def test_noise_never_leaves_arbitrage_at_the_nodes(seed, size):
    """At the nodes themselves; `build_chain` looks between them."""
    random = np.random.default_rng(seed)
    truth = SHAPE.smiles(0.36 * TENOR)
    targets = targets_on(truth, 1.0 + size * random.standard_normal(STEPS.size * TENOR.size).clip(-3.0, 3.0))
    anchor = ssvi.Ssvi(rho=-0.2, eta=1.0, gamma=0.4).smiles(0.36 * TENOR)
    grid = constraint_grid(0.36 * TENOR)
    fit = fit_jointly(truth, anchor, targets, grid)
    w = total_variance(grid, fit.params[:, None, :])
    assert (np.diff(w, axis=0) > 0.0).all()
    assert fit.cost <= cost(anchor, targets) + 1.0
    assert np.isclose(fit.cost, cost(fit.params, targets), rtol=1e-6, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_no_free_neighbour_is_much_better(seed):
    random = np.random.default_rng(seed)
    truth = SHAPE.smiles(0.36 * TENOR)
    targets = targets_on(truth, np.repeat([1.1, 1.0, 0.95, 1.0], STEPS.size))  # the first two cross
    fit = fit_jointly(truth, truth, targets, constraint_grid(0.36 * TENOR))
    best = cost(fit.params, targets)
    for _ in range(20):
        other = fit.params * (1.0 + 10.0 ** random.uniform(-4, -1) * random.standard_normal(fit.params.shape))
        if (np.abs(other[:, 2]) < 1.0).all() and examine(other).is_free:
            assert cost(other, targets) >= 0.98 * best


def test_smiles_that_cross_part_where_they_are_worth_least():
    """The nearest smile is given ten times the weight: the other one gives way."""
    truth = SHAPE.smiles(0.36 * TENOR)
    targets = targets_on(truth, np.repeat([1.0, 0.4, 1.0, 1.0], STEPS.size))  # 16 % of the variance: below the first
    scale = targets.scale.copy()
    scale[STEPS.size : 2 * STEPS.size] *= 10.0
    weighted = Targets(tenor_years=TENOR, start=targets.start, k=targets.k, vol=targets.vol, scale=scale, huber=3.0)
    fit = fit_jointly(truth, truth, weighted, constraint_grid(0.36 * TENOR))
    error = np.abs(misses(fit.params, weighted)).reshape(TENOR.size, -1).mean(axis=1)
    assert error[0] < 0.3 * error[1]
    assert examine(fit.params).is_free
