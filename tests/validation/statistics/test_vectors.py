"""The statistics of other engines and of long arithmetic, where the folder of real data is at hand."""

import csv

import numpy as np
import pytest

from crossmargin.validation.statistics import coverage, independence, quantiles


def rows(path):
    with path.open() as lines:
        return list(csv.DictReader(lines))


def test_proportion_of_failures(shared):
    for row in rows(shared / "vectors/backtest/kupiec_pof.csv"):
        tested = coverage.pof(int(row["x"]), int(row["N"]), rate=float(row["p"]))
        assert float(tested.statistic) == pytest.approx(float(row["LR_pof"]), abs=1e-9)
        assert float(tested.p_value) == pytest.approx(float(row["p_value"]), rel=1e-8)


def test_independence(shared):
    for row in rows(shared / "vectors/backtest/christoffersen_independence.csv"):
        pairs = independence.Transitions(*(int(row[name]) for name in ("n00", "n01", "n10", "n11")))
        tested = independence.independence(pairs)
        assert float(tested.statistic) == pytest.approx(float(row["LR_ind"]), abs=1e-9)
        assert float(tested.p_value) == pytest.approx(float(row["p_value"]), rel=1e-8)


def test_rules_of_quantile_and_shortfall(shared):
    """The rules of a historical simulation that is not ours: ⌈n·q⌉-th smallest, and the mean up to it."""
    series = {}
    for row in rows(shared / "vectors/hist_sim_var/historical_PnL.csv"):
        key = (row["#Portfolio"], row["RiskClass"], row["RiskType"])
        series.setdefault(key, []).append(float(row["PLAmount"]))
    expected = rows(shared / "vectors/hist_sim_var/var.csv")
    assert len(expected) == len(series) == 6
    for row in expected:
        pnl = np.array(series[row["#Portfolio"], row["RiskClass"], row["RiskType"]])
        for q in (0.01, 0.05, 0.95, 0.99):
            quantile, shortfall = float(row[f"Quantile_{q:f}"]), float(row[f"ExpectedShortfall_{q:f}"])
            assert -float(quantiles.value_at_risk(pnl, q=q)) == pytest.approx(quantile, rel=1e-8)
            assert -float(quantiles.expected_shortfall(pnl, q=q)) == pytest.approx(shortfall, rel=1e-8)
