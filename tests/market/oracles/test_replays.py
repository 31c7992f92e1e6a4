"""Real days: prices of one venue and of one oracle liquidate nobody; depegs that all see cut credit in time.

The two made paths follow what was published of 10 October 2025 (one venue's USDe and wBETH, 21:36 to 22:16 UTC) and of
10 March 2026 (a rate cap at 1.1939 under a market of 1.228). The two real ones are prices by the hour and by the day.
"""

import datetime as dt
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import DAY_NS, SECOND_NS, from_datetime
from crossmargin.market.oracles.aggregate import aggregate
from crossmargin.market.oracles.clocks import Persistence, liquidation_prices, new_risk_prices, observe
from crossmargin.market.oracles.document import OracleRules, PegRules, RateCapRules
from crossmargin.market.oracles.peg import PegReading, PegState, PegTrack, credit, observe_peg
from crossmargin.market.oracles.pegged import pegged_value
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.rates import RateCap, capped_rate, replaced_cap
from crossmargin.market.oracles.sources.direct import Ticker, ticker_quote
from tests.market.oracles.made_up import feed

RULES, PEG = OracleRules(), PegRules()
STABLES = "data/stable_wrapped/stable_wrapped_close_1h_binance.parquet"
STABLES_BY_DAY = "data/stable_wrapped/stablecoins_1d.parquet"


def said(source: str, price: float, now_ns: int, *, half_spread: float = 0.0005) -> Quote:
    ticker = Ticker(bid=price * (1 - half_spread), ask=price * (1 + half_spread), time_ns=now_ns)
    return ticker_quote(feed(source, kind="venue", liquidity_usd=1e7), ticker, seen_ns=now_ns)


def between(minute: float, points: list[tuple[float, float]]) -> float:
    """Straight lines through (minute, price)."""
    for (m0, p0), (m1, p1) in pairwise(points):
        if m0 <= minute <= m1:
            return p0 + (p1 - p0) * (minute - m0) / (m1 - m0)
    return points[-1][1]


def watch(paths: dict[str, list[tuple[float, float]]], *, half_spread: float = 0.0005) -> tuple[float, float, float]:
    """Lowest prices over an hour, one mark each ten seconds: for liquidations, for new risk, and the mark itself."""
    track, liquidating, new_risk, mids = Persistence(), [], [], []
    for step in range(361):
        now_ns = (1_760_000_000 + 10 * step) * SECOND_NS
        quotes = [
            said(name, between(step / 6.0, path), now_ns, half_spread=half_spread if name == "alone" else 0.0005)
            for name, path in paths.items()
        ]
        mark = aggregate(quotes, RULES, now_ns=now_ns, daily_vol=0.01)
        track = observe(track, mark, RULES, families=len(paths))
        settled, worst = liquidation_prices(track, RULES, now_ns=now_ns), new_risk_prices(mark)
        assert worst is not None
        assert mark.mid is not None
        liquidating += [] if settled is None else [settled.collateral]
        new_risk.append(worst.collateral)
        mids.append(mark.mid)
    return min(liquidating), min(new_risk), min(mids)


USDE = {
    "alone": [(0.0, 0.999), (8.0, 0.98), (12.0, 0.65), (20.0, 0.70), (40.0, 0.985), (60.0, 0.999)],
    "second": [(0.0, 0.999), (12.0, 0.972), (40.0, 0.99), (60.0, 0.999)],
    "third": [(0.0, 0.999), (12.0, 0.975), (40.0, 0.99), (60.0, 0.999)],
    "pool": [(0.0, 0.998), (12.0, 0.905), (40.0, 0.985), (60.0, 0.998)],
}
ETH = [(0.0, 4_000.0), (12.0, 3_800.0), (60.0, 3_850.0)]
WBETH = {
    "alone": [(0.0, 4_300.0), (8.0, 4_000.0), (12.0, 430.0), (20.0, 1_500.0), (40.0, 4_050.0), (60.0, 4_130.0)],
    "second": [(m, p * 1.075) for m, p in ETH],
    "rate": [(m, p * 1.079) for m, p in ETH],
    "pool": [(m, p * 1.07) for m, p in ETH],
}


def test_usde_on_one_venue_liquidates_nobody():
    liquidating, new_risk, mid = watch(USDE)
    assert liquidating >= 0.97
    assert new_risk <= 0.65
    assert mid >= 0.93


def test_wbeth_on_one_venue_liquidates_nobody():
    liquidating, new_risk, mid = watch(WBETH)
    assert liquidating >= 3_800.0 * 1.07
    assert new_risk <= 430.0
    assert mid >= 3_800.0 * 1.07


def test_a_spread_of_22_percent_is_not_even_heard():
    _, new_risk, mid = watch(WBETH, half_spread=0.11)
    assert new_risk > 3_800.0
    assert mid >= 3_800.0 * 1.07


def test_a_fall_that_all_see_does_liquidate():
    """The same path on every venue: the clock delays by a minute, and no more."""
    liquidating, _, _ = watch(dict.fromkeys(USDE, USDE["alone"]))
    assert liquidating <= 0.68


def test_a_stale_cap_liquidates_nobody():
    """First line of defence: the cap is refused. Second: as the feed of somebody else it is one family of four."""
    now_ns = 200 * DAY_NS
    standing = RateCap(ratio=1.1919, time_ns=0, growth_per_year=0.0968)
    with pytest.raises(InvalidInput, match=r"the rate of 1\.228"):
        replaced_cap(
            standing,
            RateCap(ratio=1.1919, time_ns=now_ns, growth_per_year=0.0968),
            RateCapRules(),
            rate=1.228,
            now_ns=now_ns,
        )
    assert capped_rate(1.228, standing, now_ns=now_ns) == 1.228
    path = [(0.0, 1.2278), (10.0, 1.228), (10.2, 1.1939), (60.0, 1.1939)]
    market = [(0.0, 1.2278), (60.0, 1.228)]
    liquidating, new_risk, mid = watch({"capped": path, "second": market, "third": market, "pool": market})
    assert liquidating >= 1.2277
    assert mid >= 1.2277
    assert new_risk == pytest.approx(1.1939, rel=1e-3)


def hourly(shared: Path, symbol: str) -> list[tuple[int, float]]:
    """Times at which an hour ended, and its last price."""
    rows = pl.read_parquet(shared / STABLES).filter(pl.col("symbol") == symbol).sort("ts").select("ts", "close").rows()
    return [(from_datetime(ts) + 3_600 * SECOND_NS, price) for ts, price in rows]


def states(prices: list[tuple[int, float]], *, tick_s: int = 900) -> list[tuple[int, float, PegTrack]]:
    """Peg tracks at each price and, while a deviation lasts, each quarter of an hour between."""
    track, found = PegTrack(), []
    for (time_ns, price), (next_ns, _) in zip(prices, [*prices[1:], (prices[-1][0], 0.0)], strict=True):
        track = observe_peg(track, PegReading(time_ns=time_ns, deviation=price - 1.0), PEG)
        found.append((time_ns, price, track))
        until_ns = min(next_ns, time_ns + DAY_NS)
        for tick_ns in range(time_ns + tick_s * SECOND_NS, until_ns, tick_s * SECOND_NS):
            track = observe_peg(track, PegReading(time_ns=tick_ns, deviation=None), PEG)
            found.append((tick_ns, price, track))
    return found


def first(found: list[tuple[int, float, PegTrack]], state: PegState) -> int:
    return next(time_ns for time_ns, _, track in found if track.state >= state)


def at(text: str) -> int:
    return from_datetime(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))


def test_usdc_in_march_2023_cuts_credit_at_the_first_price(shared: Path):
    prices = [(t, p) for t, p in hourly(shared, "USDCUSDT") if at("2023-03-11") <= t < at("2023-03-17")]
    opened_ns, opened = prices[0]
    assert opened == pytest.approx(0.9128, abs=1e-3)
    quotes = [said(name, opened, opened_ns) for name in ("one", "two", "three")]
    worst = new_risk_prices(aggregate(quotes, RULES, now_ns=opened_ns, daily_vol=0.005))
    assert worst is not None
    assert worst.collateral <= opened
    value = pegged_value(fund=1.0, venues=quotes, backing=1.0, redemption_open=True, proofs_fresh=True, rules=PEG)
    assert value.value == pytest.approx(opened, abs=1e-4)
    found = states(prices)
    assert first(found, PegState.STRESS) == opened_ns + 900 * SECOND_NS
    assert first(found, PegState.BROKEN) == opened_ns + 3_600 * SECOND_NS
    healed = [time_ns for time_ns, _, track in found if track.state >= PegState.STRESS][-1]
    assert at("2023-03-12T22:00:00") < healed < at("2023-03-13T01:00:00")
    assert all(price > 0.98 for time_ns, price, _ in found if time_ns > healed)


def test_quiet_years_of_usdc_raise_no_alarm_but_that_of_their_quote_currency(shared: Path):
    """These prices count in USDT, and on 12 May 2022 it was USDT that stood at 0.95."""
    prices = hourly(shared, "USDCUSDT")
    before = states([x for x in prices if x[0] < at("2022-09-26")])
    after = states([x for x in prices if x[0] > at("2023-04-01")])
    alarms = [time_ns for time_ns, _, track in before + after if track.state >= PegState.STRESS]
    assert alarms
    assert all(at("2022-05-12") < time_ns < at("2022-05-13") for time_ns in alarms)
    assert len(before) + len(after) > 100_000


def test_ust_in_may_2022_is_broken_at_four_fifths_of_a_dollar(shared: Path):
    rows = pl.read_parquet(shared / STABLES_BY_DAY).filter(pl.col("symbol") == "USTC").sort("ts").select("ts", "close")
    closes = [(from_datetime(ts) + DAY_NS, price) for ts, price in rows.rows()]
    prices = [(t, p) for t, p in closes if at("2022-04-01") <= t <= at("2022-05-20")]
    found = states(prices)
    broken_ns = first(found, PegState.BROKEN)
    assert broken_ns == at("2022-05-10T01:00:00")
    assert [p for t, p, _ in found if t == broken_ns] == [pytest.approx(0.793, abs=1e-3)]
    assert all(t.state == PegState.NORMAL for time_ns, _, t in found if time_ns < at("2022-05-09"))
    after = [(p, credit(t, PEG, now_ns=time_ns)) for time_ns, p, t in found if time_ns >= broken_ns]
    assert not any(left.new_credit for _, left in after)
    assert after[-1][0] < 0.2
    assert after[-1][1].existing_share == 0.0
