"""A chain is fitted to its truth, through bad quotes, in any order of rows, and never with arbitrage."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.core.errors import UnfitMarket
from crossmargin.market import ssvi
from crossmargin.market.arbitrage import examine
from crossmargin.market.curve import RateCurve
from crossmargin.market.fit import FittedChain, build_chain
from crossmargin.market.smiles import FitSettings
from crossmargin.market.svi import total_variance
from tests.market.option_chains import NOW_NS, SHAPE, KnownChain, known_chain, with_rows, with_value

RATES = RateCurve(tenor_years=np.array([1.0]), rate=np.array([0.05]))


def vol_errors(chain: FittedChain, made: KnownChain) -> np.ndarray:
    """Vol points between fit and truth, within two standard deviations."""
    k = np.sqrt(total_variance(np.zeros(1), made.smiles))[:, None] * np.linspace(-2.0, 2.0, 41)
    fitted, truth = (np.sqrt(total_variance(k, p[:, None, :])) for p in (chain.svi, made.smiles))
    return np.abs(fitted - truth) / np.sqrt(made.tenor_years)[:, None] * 100.0


@settings(max_examples=25)
@given(
    st.builds(ssvi.Ssvi, rho=st.floats(-0.8, 0.8), eta=st.floats(0.2, 1.0), gamma=st.floats(0.2, 0.5)),
    st.floats(0.1, 1.2),
    st.booleans(),
)
def test_the_truth_is_found_again(shape, level, in_coin):
    made = known_chain(shape=shape, level=level, in_coin=in_coin, rates=RATES)
    chain = build_chain(made.quotes, now_ns=NOW_NS)
    assert vol_errors(chain, made).max() < 0.25
    assert np.allclose(chain.forward, made.forward, rtol=1e-3)
    assert examine(chain.svi).is_free
    assert chain.report.total.inside_share == 1.0
    assert chain.report.quarantined == ()


def test_results_say_where_they_stand():
    made = known_chain(in_coin=False, rates=RATES)
    chain = build_chain(made.quotes, now_ns=NOW_NS)
    assert chain.underlying == "BTC"
    assert chain.time_ns == NOW_NS
    assert chain.expiry_ns.tolist() == made.expiry_ns.tolist()
    assert np.allclose(chain.tenor_years, made.tenor_years)
    assert np.allclose(chain.discount, np.exp(-0.05 * made.tenor_years))
    assert all(e.method == "svi" and e.forward_source == "parity" for e in chain.report.expiries)
    with pytest.raises(ValueError, match="read-only"):
        chain.svi[0, 0] = 1.0


@given(st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_rows_changes_nothing(random):
    quotes = known_chain().quotes
    rows = list(range(len(quotes.instrument)))
    random.shuffle(rows)
    straight, shuffled = (build_chain(q, now_ns=NOW_NS) for q in (quotes, with_rows(quotes, np.array(rows))))
    assert straight.svi.tobytes() == shuffled.svi.tobytes()
    assert straight.forward.tobytes() == shuffled.forward.tobytes()


def test_prices_in_another_unit_give_the_same_smiles():
    cents = known_chain(in_coin=False, spot=6_000_000.0)
    dollars = known_chain(in_coin=False, spot=60_000.0)
    a, b = (build_chain(made.quotes, now_ns=NOW_NS) for made in (cents, dollars))
    assert np.allclose(a.svi, b.svi, rtol=1e-6, atol=1e-9)
    assert np.allclose(a.forward, 100.0 * b.forward)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_quotes_gone_bad_are_left_out_by_name(seed):
    """A mark and its quotes at twice the vol, or a fifth of it, change no smile by much."""
    random = np.random.default_rng(seed)
    made = known_chain()
    near = np.flatnonzero(np.abs(np.log(made.quotes.strike / made.quotes.underlying_price)) < 0.01 * 60)
    bad = int(random.choice(near))
    factor = float(random.choice([0.2, 2.0]))
    quotes = with_value(made.quotes, "mark_vol", bad, made.quotes.mark_vol[bad] * factor)
    chain = build_chain(quotes, now_ns=NOW_NS)
    assert vol_errors(chain, made).max() < 0.6
    named = {q.instrument for q in chain.report.quarantined} | {m.instrument for m in chain.report.off_marks}
    outside = abs(made.quotes.mark[bad]) > 2e-3  # a mark worth a few ticks is no evidence either way
    assert not outside or quotes.instrument[bad] in named


def test_a_stale_quote_is_left_out():
    made = known_chain()
    at = 16
    quotes = with_value(made.quotes, "bid", at, made.quotes.bid[at] * 1.5)
    quotes = with_value(quotes, "ask", at, made.quotes.ask[at] * 1.5)
    chain = build_chain(quotes, now_ns=NOW_NS)
    (left_out,) = chain.report.quarantined
    assert (left_out.instrument, left_out.reason) == (quotes.instrument[at], "stale quote")
    assert left_out.value > left_out.limit
    sound = build_chain(made.quotes, now_ns=NOW_NS)
    assert chain.report.marks_outside_quotes == sound.report.marks_outside_quotes + 1
    assert len(chain.report.violations) == 1


def test_crossed_and_old_quotes_are_left_out():
    made = known_chain()
    quotes = with_value(made.quotes, "bid", 10, made.quotes.ask[10] * 1.01)
    quotes = with_value(quotes, "seen_ns", 12, NOW_NS - 601 * 10**9)
    chain = build_chain(quotes, now_ns=NOW_NS)
    assert {(q.instrument, q.reason) for q in chain.report.quarantined} == {
        (quotes.instrument[10], "crossed"),
        (quotes.instrument[12], "old"),
    }
    assert vol_errors(chain, made).max() < 0.25


def test_an_offer_below_what_it_brings_at_once_is_left_out():
    made = known_chain()
    deep = 0  # a call far in the money
    quotes = with_value(made.quotes, "ask", deep, made.quotes.bid[deep] * 0.5)
    quotes = with_value(quotes, "bid", deep, made.quotes.bid[deep] * 0.4)
    chain = build_chain(quotes, now_ns=NOW_NS)
    assert (quotes.instrument[deep], "below intrinsic value") in {
        (q.instrument, q.reason) for q in chain.report.quarantined
    }


def test_a_bid_beyond_any_price_is_left_out():
    made = known_chain()
    quotes = with_value(made.quotes, "bid", 16, 1.5)
    quotes = with_value(quotes, "ask", 16, 1.6)
    chain = build_chain(quotes, now_ns=NOW_NS)
    assert [(q.instrument, q.reason) for q in chain.report.quarantined] == [(quotes.instrument[16], "beyond any price")]


def test_too_many_crossed_quotes_refuse_the_chain():
    made = known_chain()
    rows = np.arange(0, len(made.quotes.instrument), 5)
    quotes = with_value(made.quotes, "bid", rows, made.quotes.ask[rows] * 1.01)
    with pytest.raises(UnfitMarket, match=r"share of crossed quotes is 0\.2") as refused:
        build_chain(quotes, now_ns=NOW_NS)
    assert quotes.instrument[0] in str(refused.value)
    build_chain(quotes, now_ns=NOW_NS, settings=FitSettings(crossed_share_max=0.25))


def test_smiles_with_arbitrage_are_mended():
    """The second expiry is quoted below the first, the third with wings too steep."""
    tenor = np.array([7.0, 14.0, 60.0]) / 365.0
    smiles = SHAPE.smiles(np.array([0.5, 0.4, 0.5]) * np.array([1.0, 0.6, 1.0]) * tenor)
    smiles[1] = SHAPE.smiles(np.array([0.9 * 0.5 * tenor[0]]))[0]
    made = known_chain(smiles=smiles, days=(7, 14, 60), deviations=np.linspace(-2.0, 2.0, 13))
    chain = build_chain(made.quotes, now_ns=NOW_NS)
    assert chain.report.calendar_before >= 1
    assert examine(chain.svi).is_free
    assert chain.report.density_min > 0.0
    assert chain.report.growth_min > 0.0
    assert max(e.repair_points for e in chain.report.expiries) > 1.0
    assert vol_errors(chain, made)[2].max() < 0.6


def test_an_expiry_of_two_strikes_takes_its_shape_from_the_others():
    made = known_chain()
    thin = np.flatnonzero(made.quotes.expiry_ns == made.expiry_ns[2])[14:18]
    others = np.flatnonzero(made.quotes.expiry_ns != made.expiry_ns[2])
    chain = build_chain(with_rows(made.quotes, np.sort(np.concatenate([thin, others]))), now_ns=NOW_NS)
    assert [e.method for e in chain.report.expiries] == ["svi", "svi", "ssvi", "svi", "svi"]
    assert vol_errors(chain, made).max() < 1.0


def test_an_expiry_that_nobody_speaks_of_is_dropped_by_name():
    made = known_chain()
    mute = made.quotes.expiry_ns == made.expiry_ns[1]
    quotes = made.quotes
    for column in ("bid", "ask", "mark", "mark_vol"):
        quotes = with_value(quotes, column, mute, 0.0)
    chain = build_chain(quotes, now_ns=NOW_NS)
    assert chain.expiry_ns.tolist() == [made.expiry_ns[i] for i in (0, 2, 3, 4)]
    assert len(chain.report.dropped) == 1


def test_a_chain_that_nobody_speaks_of_is_refused():
    quotes = known_chain().quotes
    for column in ("bid", "ask", "mark", "mark_vol"):
        quotes = with_value(quotes, column, slice(None), 0.0)
    with pytest.raises(UnfitMarket, match="number of expiries with a usable quote is 0"):
        build_chain(quotes, now_ns=NOW_NS)


def test_prices_alone_and_an_american_chain():
    made = known_chain(in_coin=False, rates=RATES)
    quotes = made.quotes
    for column in ("bid", "ask", "mark_vol", "underlying_price"):
        quotes = with_value(quotes, column, slice(None), 0.0)
    dear = np.where(quotes.is_call, quotes.strike < made.quotes.underlying_price, False)
    early = replace(with_value(quotes, "mark", dear, 1.05 * quotes.mark[dear]), american=True)
    plain, american = (build_chain(q, now_ns=NOW_NS) for q in (quotes, early))
    assert vol_errors(plain, made).max() < 0.3
    assert "read as European" in american.report.notes[0]
    assert plain.report.notes == ()


def test_an_index_of_another_time_is_noted():
    chain = build_chain(replace(known_chain().quotes, spot=55_000.0), now_ns=NOW_NS)
    assert "off the index price" in chain.report.notes[0]


def test_the_same_quotes_give_the_same_bits():
    a, b = (build_chain(known_chain().quotes, now_ns=NOW_NS) for _ in range(2))
    assert a.svi.tobytes() == b.svi.tobytes()


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 0.4, 0.1]), st.floats(0.0, 0.3))
@settings(max_examples=40)
def test_a_damaged_chain_builds_without_arbitrage_or_says_why_not(seed, kept, damaged):
    """Rows missing, prices and vols off by factors of up to 100, quotes gone."""
    random = np.random.default_rng(seed)
    quotes = known_chain().quotes
    rows = np.flatnonzero(random.random(len(quotes.instrument)) < kept)
    quotes = with_rows(quotes, rows)
    for column in ("bid", "ask", "mark", "mark_vol", "underlying_price"):
        hit = np.flatnonzero(random.random(rows.size) < damaged)
        factors = random.choice([0.0, 0.01, 0.5, 1.5, 3.0, 100.0], hit.size)
        quotes = with_value(quotes, column, hit, getattr(quotes, column)[hit] * factors)
    try:
        chain = build_chain(quotes, now_ns=NOW_NS, settings=FitSettings(crossed_share_max=1.0))
    except UnfitMarket as refusal:
        assert "at least 2" in str(refusal)  # noqa: PT017 both ends are right
    else:
        assert examine(chain.svi).is_free
        assert np.isfinite(chain.svi).all()
        assert (chain.forward > 0.0).all()
