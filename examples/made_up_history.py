"""Four years of daily levels for the factors of a market, made up: one CSV with a column for each factor.

    python made_up_history.py market.toml

writes history.csv here. Moves are correlated as the market says, fat-tailed and in clusters, with one crash, and
volatilities rise when prices fall. The last row is the market itself.
"""

import sys
from pathlib import Path

import numpy as np

import crossmargin as xm
from crossmargin.core.instant import DAY_NS, format_instant

DAYS = 1460
CRASH, CRASH_DAYS = 700, 3
RATE_MOVE = 0.0006  # a day, of a dollar rate


def main(market_file: str) -> None:
    """Write history.csv for one market."""
    market = xm.read_market(market_file)
    names = list(market.correlation_names)
    draw = np.random.default_rng(2026)
    normal = draw.multivariate_normal(np.zeros(len(names)), market.correlation, size=DAYS)
    shocks = normal * np.sqrt(3.0 / draw.chisquare(5, size=(DAYS, 1)))  # Student's t of 5 degrees, variance one
    shocks[CRASH : CRASH + CRASH_DAYS] = -np.abs(shocks[CRASH : CRASH + CRASH_DAYS]) - 4.0
    daily = np.array([market.underlyings[name].liquidity.daily_vol for name in names])
    moves = daily * _clustered(shocks)
    columns = {}
    for i, name in enumerate(names):
        u = market.underlyings[name]
        columns[u.factor] = u.spot * _back(moves[:, i])
        if u.surface is not None:
            at_money = float(u.surface.vol(0.0, u.surface.expiry_ns[len(u.surface.expiry_ns) // 2]))
            own = -0.6 * moves[:, i] / daily[i] + 0.8 * draw.standard_t(5, size=DAYS)
            columns[f"vol:{name}"] = at_money * _back(0.04 * own)
    steps = RATE_MOVE * draw.standard_t(5, size=DAYS)
    columns["rate:USD"] = float(market.rates["USD"].rate_at(1.0)) + np.cumsum(steps) - steps.sum()
    closes = [format_instant(market.time_ns - (DAYS - 1 - day) * DAY_NS) for day in range(DAYS)]
    lines = [",".join(["time", *columns])]
    lines += [",".join([close, *(f"{c[day]:.8g}" for c in columns.values())]) for day, close in enumerate(closes)]
    Path("history.csv").write_text("\n".join(lines) + "\n")


def _clustered(shocks: np.ndarray) -> np.ndarray:
    """Shocks scaled by a volatility that remembers them: h' = 0.06 + 0.1·e² + 0.84·h."""
    scaled, h = np.empty_like(shocks), np.ones(shocks.shape[1])
    for day, shock in enumerate(shocks):
        scaled[day] = np.sqrt(h) * shock
        h = 0.06 + 0.1 * scaled[day] ** 2 + 0.84 * h
    return scaled


def _back(moves: np.ndarray) -> np.ndarray:
    """Levels by log moves, relative to the last."""
    path = np.exp(np.cumsum(moves))
    return path / path[-1]


if __name__ == "__main__":
    main(sys.argv[1])
