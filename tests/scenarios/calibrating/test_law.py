"""The law of residuals: tails by rank, draws through a copula, and what each of them may not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from crossmargin.core.errors import InvalidInput
from crossmargin.measures.reduce import Measure, reduce_losses, standard_error
from crossmargin.scenarios.calibrating.calibration import Copula, CopulaRule, Correlation, Dependence, TailRule
from crossmargin.scenarios.calibrating.law import (
    JointLaw,
    copula_of,
    drawn_rows,
    estimate_correlation,
    fit_law,
    groups,
    spliced_rows,
)
from crossmargin.scenarios.statistics.tails import SHAPE_OF_MARGINS, fit_tail, splice

NAMES = ("spot:BTC", "spot:ETH", "vol:BTC")


def residuals(seed: int = 1, rows: int = 600, factors: int = 3, degrees: float = 4.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    heavy = np.sqrt(degrees / draw.chisquare(degrees, size=(rows, 1)))
    common = draw.normal(size=(rows, 1))
    return heavy * (0.8 * common + 0.6 * draw.normal(size=(rows, factors)))


def spliced(rows: np.ndarray, copula: CopulaRule | None = None) -> JointLaw:
    return fit_law(rows, NAMES[: rows.shape[1]], TailRule(), copula)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(300, 900))
def test_tails_are_replaced_and_ranks_and_bodies_are_kept(seed: int, count: int) -> None:
    rows = residuals(seed, count)
    found = spliced_rows(rows, spliced(rows))
    for i in range(rows.shape[1]):
        np.testing.assert_array_equal(rankdata(found[:, i]), rankdata(rows[:, i]))
    beyond = math.ceil(0.1 * count)
    order = np.argsort(rows[:, 0])
    np.testing.assert_array_equal(found[order[beyond:-beyond], 0], rows[order[beyond:-beyond], 0])
    expected = splice(rows[:, :1], 0.1, shape_max=SHAPE_OF_MARGINS).quantile((np.arange(count)[None, :] + 0.5) / count)[
        0
    ]
    np.testing.assert_allclose(found[order[:beyond], 0], expected[:beyond], rtol=1e-12)
    np.testing.assert_allclose(found[order[-beyond:], 0], expected[-beyond:], rtol=1e-12)


def test_a_tail_is_stored_as_it_was_fitted() -> None:
    rows = residuals()
    lower = spliced(rows).lower[0]
    assert lower is not None
    tail = fit_tail(-rows[:, :1], 0.1, shape_max=SHAPE_OF_MARGINS)
    assert (lower.shape, lower.scale, lower.threshold) == (tail.shape[0], tail.scale[0], tail.threshold[0])
    assert lower.shape_error == pytest.approx((1.0 + lower.shape) / math.sqrt(60), rel=1e-12)
    assert fit_law(rows, NAMES, TailRule(threshold="distance"), None).lower[0].rule == "distance"  # type: ignore[union-attr] fitted


def test_draws_have_the_spliced_marginals() -> None:
    rows = residuals()
    law = spliced(rows, CopulaRule(copula="t"))
    drawn = drawn_rows(rows, NAMES, law, draws=16_384, seed=3)
    levels = np.array([0.001, 0.01, 0.05, 0.3, 0.5, 0.9, 0.99, 0.999])
    expected = splice(rows, 0.1).quantile(np.broadcast_to(levels, (3, len(levels))))
    found = np.quantile(drawn, levels, axis=0).T
    spread = np.sqrt(levels * (1.0 - levels) / 16_384)
    near = splice(rows, 0.1).cdf(found)
    assert np.all(np.abs(near - levels) < 3.0 * spread), (found, expected)


@pytest.mark.parametrize("seed", [1, 5])
def test_the_shortfall_of_draws_is_that_of_the_tail_in_closed_form(seed: int) -> None:
    rows = residuals(seed, factors=1)
    drawn = drawn_rows(rows, NAMES[:1], spliced(rows, CopulaRule()), draws=50_000, seed=2)
    measure = Measure(kind="expected_shortfall", level=0.975)
    losses = -drawn[:, 0]
    tail, end = fit_tail(-rows, 0.1), 1.0 - 0.5 / len(rows)
    beyond = (tail.expected_shortfall(end) - tail.value_at_risk(end)) * (1.0 - end) / 0.025  # where draws end
    closed = float((tail.expected_shortfall(0.975) - beyond)[0])
    assert abs(reduce_losses(losses, measure)[0] - closed) < 2.0 * standard_error(losses, measure)


def shocked(seed: int = 1, rows: int = 600) -> np.ndarray:
    """Residuals of a coin that rose as Dogecoin did on 2021-01-29, by seventeen deviations, and once by half of it."""
    found = residuals(seed, rows, factors=1)
    found[[rows // 3, rows // 2]] = [[17.0], [9.0]]
    return found


def test_a_tail_without_a_variance_is_held_and_says_so() -> None:
    wild = np.random.default_rng(3).pareto(0.9, size=(800, 1)) * np.where(np.arange(800) % 2, 1.0, -1.0)[:, None]
    assert fit_tail(wild, 0.1).shape[0] > 0.7
    for tail in (spliced(wild).upper[0], spliced(wild).lower[0]):
        assert tail is not None
        assert tail.shape == SHAPE_OF_MARGINS
        assert tail.shape_error is None
    calm = spliced(residuals(factors=1)).upper[0]
    assert calm is not None
    assert calm.shape < SHAPE_OF_MARGINS
    assert calm.shape_error is not None


@given(st.integers(0, 50))
@settings(deadline=None, max_examples=5)
def test_draws_end_where_rows_end_so_the_shortfall_of_a_short_coin_settles(seed: int) -> None:
    """Without an end e^x of a Pareto x has no mean: sixteen times the draws gave many times the shortfall."""
    rows, measure = shocked(seed), Measure(kind="expected_shortfall", level=0.975)
    law = spliced(rows, CopulaRule())
    assert law.upper[0] is not None
    assert law.upper[0].shape > 0.0
    few, many = (drawn_rows(rows, NAMES[:1], law, draws=n, seed=seed) for n in (4096, 65_536))
    ends = spliced_rows(rows, law)
    for drawn in (few, many):
        assert drawn.max() <= ends.max() * (1.0 + 1e-12)
        assert drawn.min() >= ends.min() * (1.0 + 1e-12)
    short = [reduce_losses(np.expm1(0.29 * drawn[:, 0]), measure)[0] for drawn in (few, many)]
    assert short[1] == pytest.approx(short[0], rel=0.1)


def test_a_t_copula_joins_the_tails_and_a_gaussian_does_not() -> None:
    rows = residuals(rows=1500, degrees=3.0)

    def together(copula: Copula) -> float:
        drawn = drawn_rows(rows, NAMES, spliced(rows, CopulaRule(copula=copula)), draws=65_536, seed=1)
        low = drawn < np.quantile(drawn, 0.01, axis=0)
        return float((low[:, 0] & low[:, 1]).mean() / 0.01)

    assert together("t") > together("gaussian") + 0.08
    law = spliced(rows, CopulaRule(copula="t"))
    assert law.dependence is not None
    closed = copula_of(law.dependence).tail_dependence()[0, 1]  # type: ignore[union-attr] no vine
    assert closed > 0.2


@pytest.mark.parametrize("copula", ["gaussian", "t", "grouped_t"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(copula: Copula) -> None:
    rows = residuals()
    law = fit_law(rows, NAMES, None, CopulaRule(copula=copula))
    once, again, other = (drawn_rows(rows, NAMES, law, draws=500, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0.0
    assert once.min() >= rows.min()  # empirical marginals do not leave the sample
    assert once.max() <= rows.max()


def test_a_vine_is_stored_as_text_and_drawn_from_it() -> None:
    pytest.importorskip("pyvinecopulib")
    rows = residuals(rows=400)
    law = fit_law(rows, NAMES, None, CopulaRule(copula="vine", trees=1))
    assert law.dependence is not None
    assert law.dependence.vine.startswith("{")
    drawn = drawn_rows(rows, NAMES, law, draws=4096, seed=1)
    np.testing.assert_array_equal(drawn, drawn_rows(rows, NAMES, law, draws=4096, seed=1))
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(
        np.corrcoef(rows[:, 0], rows[:, 1])[0, 1], abs=0.1
    )


@pytest.mark.parametrize("correlation", ["rank", "ledoit_wolf", "ewma", "dcc"])
def test_every_correlation_is_one_and_close_to_the_sample(correlation: Correlation) -> None:
    rows = residuals(rows=1000)
    found, shrinkage = estimate_correlation(rows, CopulaRule(correlation=correlation, decay=0.995))
    np.testing.assert_array_equal(np.diag(found.matrix), 1.0)
    assert np.linalg.eigvalsh(found.matrix)[0] >= -1e-12
    assert found.matrix[0, 1] == pytest.approx(0.64, abs=0.1)  # 0.8² of the common part
    assert (0.0 < shrinkage < 0.1) if correlation == "ledoit_wolf" else shrinkage == 0.0


def test_ewma_forgets_and_ledoit_wolf_does_not() -> None:
    rows = np.concatenate([residuals(rows=500), np.random.default_rng(0).normal(size=(500, 3))])
    late, _ = estimate_correlation(rows, CopulaRule(correlation="ewma", decay=0.97))
    whole, _ = estimate_correlation(rows, CopulaRule(correlation="ledoit_wolf"))
    assert late.matrix[0, 1] < whole.matrix[0, 1] - 0.1


def test_groups_are_kinds_of_factors_with_degrees_of_their_own() -> None:
    assert groups(("spot:BTC", "vol:BTC", "spot:ETH", "peg:USDC")) == (0, 1, 0, 2)
    found = fit_law(residuals(), NAMES, None, CopulaRule(copula="grouped_t")).dependence
    assert found is not None
    assert len(found.degrees) == len(found.degrees_error) == 2


def test_what_never_moved_stays_still() -> None:
    rows = residuals()
    rows[:, 1] = 0.0
    law = spliced(rows, CopulaRule())
    assert law.lower[1] is None
    assert law.dependence is not None
    assert law.dependence.factors == ("spot:BTC", "vol:BTC")
    drawn = drawn_rows(rows, NAMES, law, draws=200, seed=1)
    assert np.all(drawn[:, 1] == 0.0)
    assert np.all(spliced_rows(rows, law)[:, 1] == 0.0)
    assert np.ptp(drawn[:, 2]) > 0.0
    still = fit_law(np.zeros((50, 1)), NAMES[:1], None, CopulaRule()).dependence
    assert still == Dependence(copula="gaussian", factors=(), correlation=still.correlation)  # type: ignore[union-attr] fitted


def test_too_few_excesses_are_refused_by_the_factors_name() -> None:
    with pytest.raises(InvalidInput, match="tail of spot:BTC"):
        spliced(residuals(rows=100))
    with pytest.raises(InvalidInput, match="share of a tail"):
        TailRule(share=0.5)
    with pytest.raises(InvalidInput, match="complete dates"):
        fit_law(residuals(rows=60), NAMES, None, CopulaRule())
