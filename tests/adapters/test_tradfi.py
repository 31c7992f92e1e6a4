"""Chains of closing prices become quotes: settled days, stale closes, missing spots and kinds."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from crossmargin.adapters.tradfi import COLUMNS, read_option_chains
from crossmargin.core.errors import InvalidInput, UnfitMarket, UnknownName
from crossmargin.market.arbitrage import examine
from crossmargin.market.curve import RateCurve
from crossmargin.market.fit import build_chain
from tests.market.option_chains import known_chain

RATES = RateCurve(tenor_years=np.array([1.0]), rate=np.array([0.03]))
DAY = dt.datetime(2024, 1, 5, tzinfo=dt.UTC)
DAYS = (7, 30, 90)
MADE = known_chain(days=DAYS, in_coin=False, rates=RATES, spot=4_000.0, level=0.2, carry=0.03)


def table(kind: str = "indexoption", volume: float = 0.0) -> pl.DataFrame:
    q = MADE.quotes
    days = np.searchsorted(MADE.expiry_ns, q.expiry_ns)
    return pl.DataFrame(
        {
            "kind": [kind] * len(q.instrument),
            "underlying": ["SPX"] * len(q.instrument),
            "ts": [DAY] * len(q.instrument),
            "expiry": [(DAY + dt.timedelta(days=DAYS[d])).replace(tzinfo=None) for d in days],
            "strike": q.strike,
            "right": ["C" if c else "P" for c in q.is_call],
            "close": q.mark,
            "volume": np.full(len(q.instrument), volume),
            "underlying_close": np.full(len(q.instrument), 4_000.0),
            "implied_volatility": np.full(len(q.instrument), 9.0),
        }
    )


def chains(tmp_path, frame: pl.DataFrame, **options):
    frame.write_parquet(tmp_path / "closes.parquet")
    return list(read_option_chains(tmp_path / "closes.parquet", rates=RATES, **options))


def test_closes_and_rates_build_the_surface_they_came_from(tmp_path):
    (chain,) = chains(tmp_path, table())
    assert (chain.underlying, chain.spot, chain.american, chain.in_coin) == ("SPX", 4_000.0, False, False)
    fitted = build_chain(chain, now_ns=chain.latest_ns)
    assert np.allclose(fitted.tenor_years, MADE.tenor_years)
    assert np.allclose(fitted.forward, MADE.forward, rtol=1e-3)
    assert fitted.report.total.median_points < 0.1


@pytest.mark.parametrize(("kind", "american"), [("option", True), ("futureoption", True), ("indexoption", False)])
def test_kinds_say_who_may_exercise_early(tmp_path, kind, american):
    (chain,) = chains(tmp_path, table(kind))
    assert chain.american is american


def test_an_unknown_kind_is_named(tmp_path):
    with pytest.raises(UnknownName, match="warrant"):
        chains(tmp_path, table("warrant"))


def test_what_expires_on_the_day_is_settled(tmp_path):
    gone = table().with_columns(expiry=pl.lit(DAY.replace(tzinfo=None)))
    (chain,) = chains(tmp_path, pl.concat([gone, table()]))
    assert len(chain.instrument) == table().height
    assert chains(tmp_path, gone) == []


def test_closes_of_options_that_did_not_trade_are_no_price(tmp_path):
    some = table().with_columns(volume=(pl.int_range(pl.len()) % 2).cast(pl.Float64))
    (chain,) = chains(tmp_path, some)
    assert (chain.mark[::2] == 0.0).all()
    assert (chain.mark[1::2] > 0.0).all()


def test_a_missing_spot_is_refused_unless_given(tmp_path):
    silent = table().with_columns(underlying_close=pl.lit(None, pl.Float64))
    (chain,) = chains(tmp_path, silent)
    with pytest.raises(InvalidInput, match="index price"):
        build_chain(chain, now_ns=chain.latest_ns)
    (chain,) = chains(tmp_path, silent, spots={"SPX": 4_000.0})
    build_chain(chain, now_ns=chain.latest_ns)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path, column):
    with pytest.raises(InvalidInput, match=f"Add {column}"):
        chains(tmp_path, table().drop(column))


BUILT = {"AAPL", "GOOG", "NWSA", "TWX", "SPX", "SPXW", "SPY", "ES", "OG"}


def test_real_samples_build_or_say_why_not(shared):
    """Index, share and futures options of 2013 to 2024; samples of one expiry, or without a price, cannot."""
    path = shared / "data/options/tradfi_option_chains.parquet"
    built, errors, refusals = set(), [], []
    for chain in read_option_chains(path, rates=RATES, spots={"SPX": 2_050.0}):
        try:
            fitted = build_chain(chain, now_ns=chain.latest_ns)
        except UnfitMarket as refusal:
            refusals.append(str(refusal))
            continue
        assert examine(fitted.svi).is_free
        built.add(chain.underlying)
        if fitted.report.total.marks > 200:
            errors.append(fitted.report.total.median_points)
    assert built == BUILT
    assert all("but must be at least 2" in refusal for refusal in refusals)
    assert len(errors) >= 15
    assert max(errors) < 0.75  # closes of one day are minutes and hours apart
