"""A backtest margins each date as a margin call would, by columns of the past alone, and judges it by what came."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from crossmargin.adapters.documents import convert
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS
from crossmargin.market.build import build_snapshot
from crossmargin.market.document import MarketDocument
from crossmargin.market.snapshot import Snapshot
from crossmargin.measures.reduce import Measure, reduce_losses
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import BookDocument
from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.walk import Walk, walk
from crossmargin.validation.backtest import Stage, moves_between, realised_pnl, run
from tests.scenarios.calibrating.test_calibrate import NAMES, history

COINS = tuple(name.removeprefix("spot:") for name in NAMES)
QUANTITIES = {"long": (2.0, 0.0, 0.0), "short": (-2.0, 0.0, 0.0), "pair": (1.0, -1.0, 0.0), "none": (0.0, 0.0, 0.0)}

SHORTFALL = Measure(kind="expected_shortfall", level=0.975)


@dataclass(frozen=True)
class Simulated:
    """The simplest forecaster: the columns of a walk."""

    walk: Walk
    name: str = "filtered"
    measure: Measure = SHORTFALL

    def columns(self, t: int) -> np.ndarray:
        return self.walk.columns(t)


def world(price: float = 100.0) -> tuple[Book, Snapshot]:
    liquid = {"adv_usd": 1e9, "half_spread_bps": 1.0, "daily_vol": 0.03}
    stated = {"kind": "spot", "risk_class": "crypto_major", "spot": price, "liquidity": liquid}
    market = {"as_of": "2026-01-01T00:00:00Z", "underlyings": [{"name": c, **stated} for c in COINS]}
    snapshot = build_snapshot(convert(market, MarketDocument, where="market"), where="market")
    perps = [
        {"family": "perpetual", "id": f"{c}-PERP.TEST", "underlying": c, "payout": "linear", "settle": "USD"}
        for c in COINS
    ]
    accounts = [
        {
            "id": name,
            "groups": [
                {
                    "id": "all",
                    "mode": "portfolio",
                    "positions": [
                        {"instrument": f"{c}-PERP.TEST", "quantity": q}
                        for c, q in zip(COINS, quantities, strict=True)
                        if q
                    ],
                }
            ],
        }
        for name, quantities in QUANTITIES.items()
    ]
    document = convert({"instruments": perps, "accounts": accounts}, BookDocument, where="book")
    return build_book(document, now_ns=snapshot.time_ns, where="book"), snapshot


def stage(found: Walk, *, start: int = 200, end: int = 1000) -> Stage:
    book, snapshot = world()
    realised = found.realised()
    return Stage(
        book=book,
        snapshot=snapshot,
        factors=found.history.factors,
        close_ns=found.close_ns,
        realised=realised,
        moves=moves_between(found.close_ns, found.ready(), realised, start * DAY_NS, end * DAY_NS),
        horizon_days=1.0,
        rules={},
    )


FOUND = walk(history(bars=600), CalibrationSpec(lookback=100))


def test_each_margin_is_the_measure_of_that_dates_columns() -> None:
    ready, model = stage(FOUND), Simulated(FOUND)
    series = run(ready, model)
    for at in (0, 17, len(ready.moves) - 1):
        shocks = FOUND.columns(int(ready.moves[at]))
        for row, name in enumerate(series.accounts):
            losses = -100.0 * (np.asarray(QUANTITIES[name]) @ shocks)
            expected = max(reduce_losses(losses, model.measure)[0], 0.0)
            assert series.margin[row, at] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_gain_is_what_prices_did_after_the_margin_was_set() -> None:
    told = history(bars=600)
    ready = stage(FOUND)
    gains = realised_pnl(ready)
    move = int(ready.moves[5])
    relative = told.level[move + 2] / told.level[move + 1] - 1.0
    for row, quantities in enumerate(QUANTITIES.values()):
        assert gains[row, 5] == pytest.approx(100.0 * float(np.asarray(quantities) @ relative), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(gains[0], -gains[1], rtol=1e-12)


def test_what_comes_after_a_date_changes_no_margin_up_to_it() -> None:
    told = history(bars=600)
    level = told.level.copy()
    level[401:] = level[401:] ** 1.5
    other = walk(replace(told, level=level), CalibrationSpec(lookback=100))
    before = stage(FOUND).moves <= 399
    known = run(stage(FOUND), Simulated(FOUND)).margin[:, before]
    np.testing.assert_array_equal(run(stage(other), Simulated(other)).margin[:, before], known)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(stage(FOUND), Simulated(FOUND))
    monkeypatch.setattr("crossmargin.validation.backtest.CELLS", 1)
    np.testing.assert_array_equal(run(stage(FOUND), Simulated(FOUND)).margin, whole.margin)


def test_a_filtered_model_covers_what_it_says() -> None:
    long = walk(history(bars=3000, seed=9), CalibrationSpec(lookback=500))
    model = Simulated(long, measure=Measure(kind="value_at_risk", level=0.99))
    series = run(stage(long, start=600, end=3000), model)
    rate = (series.uncovered[:3] > 0.0).mean()
    assert 0.004 < rate < 0.018


def test_what_a_model_says_of_its_tail_stands_beside_the_margin() -> None:
    ready, model = stage(FOUND), Simulated(FOUND)
    series = run(ready, model, rate=0.05, kept=(2, 0))
    plain = run(ready, model)
    np.testing.assert_array_equal(series.margin, plain.margin)
    assert plain.forecast is None
    found = series.forecast
    assert found is not None
    for at in (0, 100):
        pnl = 100.0 * (np.asarray([QUANTITIES["long"], QUANTITIES["pair"]]) @ FOUND.columns(int(ready.moves[at])))
        for row, account, place in ((0, 0, 1), (1, 2, 0)):
            for kind, array in (("value_at_risk", found.value_at_risk), ("expected_shortfall", found.shortfall)):
                expected = reduce_losses(-pnl[row], Measure(kind=kind, level=0.95))[0]
                assert array[account, at] == pytest.approx(expected, rel=1e-12)
            np.testing.assert_allclose(found.tail[place, at], np.sort(pnl[row])[:10], rtol=1e-12)
            below = (pnl[row] < series.pnl[account, at]).sum()
            assert found.probability[place, at] == pytest.approx((below + 0.5) / 101.0)
    np.testing.assert_array_equal(found.value_at_risk[3], 0.0)


def test_a_period_without_dates_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1989"):
        stage(FOUND, start=7000, end=8000)
