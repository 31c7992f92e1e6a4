"""Every real BTC and ETH chain at hand is fitted within its bars, without hand tuning."""

import numpy as np
import pytest

from crossmargin.adapters.deribit import read_chains
from crossmargin.market.arbitrage import examine
from crossmargin.market.fit import FittedChain, build_chain
from crossmargin.market.implied import unit_price
from crossmargin.market.svi import total_variance


@pytest.fixture(scope="module")
def quotes(shared):
    return read_chains([shared / "data/options/deribit_chain_snapshots.parquet"])


def misses(chain: FittedChain) -> list[str]:
    """What a chain fails at."""
    total = chain.report.total
    found = {
        "median error over 0.15 points": total.median_points > 0.15,
        "90th percentile over 0.5 points": total.p90_points > 0.5,
        "less than 93 % inside bid and ask": total.inside_share < 0.93,
        "too few marks": total.marks < 250,
        "arbitrage": not examine(chain.svi).is_free,
        "prices with arbitrage": not prices_are_free(chain),
        "more than 1 % left out": len(chain.report.quarantined) > 0.01 * chain.report.quotes,
        "expiries dropped": bool(chain.report.dropped),
    }
    return [f"{chain.underlying} {chain.time_ns}: {what} ({total})" for what, failed in found.items() if failed]


def prices_are_free(chain: FittedChain) -> bool:
    """The conditions on call prices themselves, which know nothing of g: falling, convex, growing with expiry."""
    strikes = np.linspace(0.3, 3.0, 1081)
    k = np.log(strikes)
    total = np.sqrt(total_variance(k, chain.svi[:, None, :]))
    calls = np.array([unit_price(k, row, np.ones(k.size, bool)) for row in total])
    falling, convex = np.diff(calls, axis=1) <= 1e-14, np.diff(calls, 2, axis=1) >= -1e-13
    return bool(falling.all() and convex.all() and (np.diff(calls, axis=0) >= -1e-14).all())


def test_every_twelfth_chain(quotes):
    assert [line for q in quotes[::12] for line in misses(build_chain(q, now_ns=q.latest_ns))] == []


@pytest.mark.slow
def test_every_chain(quotes):
    assert len(quotes) == 214
    assert [line for q in quotes for line in misses(build_chain(q, now_ns=q.latest_ns))] == []


def test_no_butterfly_between_expiries(quotes):
    """Total variance is linear in time between expiries, which promises no calendar arbitrage; density it must show."""
    k = np.linspace(-2.0, 2.0, 801)
    for q in quotes[::24]:
        smiles = build_chain(q, now_ns=q.latest_ns).svi
        w = total_variance(k, smiles[:, None, :])
        for share in (0.1, 0.5, 0.9):
            total = np.sqrt((1.0 - share) * w[:-1] + share * w[1:])
            calls = np.array([unit_price(k, row, np.ones(k.size, bool)) for row in total])
            slope = np.diff(calls, axis=1) / np.diff(np.exp(k))
            assert (np.diff(slope, axis=1) >= -1e-11).all()
