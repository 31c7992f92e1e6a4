"""Standard margin of options at Deribit, Bybit and Aevo: sums by hand, what must hold of all, and books."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, MissingFactors, UnknownName
from crossmargin.margin.rulebooks.aevo_standard import options as aevo
from crossmargin.margin.rulebooks.bybit_standard import options as bybit
from crossmargin.margin.rulebooks.deribit_standard import standard as deribit
from crossmargin.margin.rulebooks.short_options import ListedOption, OptionPortfolio, short_option_margin
from crossmargin.market.build import build_snapshot
from crossmargin.valuation.pnl import values_usd
from tests.margin.rulebooks.accounts import account, ask, world
from tests.worlds import market, underlying

replace = msgspec.structs.replace
RULEBOOKS = (deribit.RULEBOOK, bybit.RULEBOOK, aevo.RULEBOOK)
CALL, PUT = "BTC-26JUN26-110000-C.DERIBIT", "BTC-26JUN26-90000-P.DERIBIT"


def shipped(rulebook):
    return rulebook.load(rulebook.dates()[-1])


def option(right="call", **more) -> ListedOption:
    base = {"instrument": "o", "settle": "USDC", "right": right, "strike": 110.0, "index": 100.0, "mark": 2.0}
    return ListedOption(**(base | {"quantity": -1.0} | more))


def rates(rulebook):
    found = shipped(rulebook).coins["BTC"]
    return getattr(found, "option", found)


@pytest.mark.parametrize(
    ("rulebook", "held", "initial", "maintenance"),
    [
        # 15 % less 10 out of the money is 5, below the floor of 10; and the mark of 2.
        (deribit.RULEBOOK, option(), 12.0, 9.5),
        (aevo.RULEBOOK, option(), 12.0, 12.0),
        (bybit.RULEBOOK, option(), 12.0, 5.2),
        # Sold at 3, now 2: Bybit keeps what was received. 15 - 2 out of the money = 13.
        (bybit.RULEBOOK, option(strike=102.0, entry=3.0), 16.0, 5.2),
        # A put 1,000 % in the money: 7.5 % of a mark of 1,000 is more than of the index.
        (deribit.RULEBOOK, option("put", strike=1100.0, mark=1000.0), 1075.0, 1075.0),
        (aevo.RULEBOOK, option("put", strike=1100.0, mark=1000.0), 1100.0, 1100.0),
        # Inverse, in coins: 10 % out of the money leaves the floor of 0.10; and a mark of 0.02.
        (deribit.RULEBOOK, option(inverse=True, mark=0.02), 0.12, 0.095),
        (deribit.RULEBOOK, option("put", strike=98.0, inverse=True, mark=0.02), 0.15, 0.095),
    ],
)
def test_one_short_by_hand(rulebook, held, initial, maintenance):
    found = short_option_margin((held,), rates(rulebook))
    assert (found[0][0], found[1][0]) == pytest.approx((initial, maintenance))


def test_orders_by_hand():
    # Buy 2 at 1: 2 and two fees of 0.03. Sell 3 at 4 with one held: two shorts of 12 + 0.03 - 4.
    held = option(quantity=1.0, buys=2.0, buy_price=1.0, sells=3.0, sell_price=4.0)
    found = bybit.margin_of(OptionPortfolio(options={"BTC": (held,)}), shipped(bybit.RULEBOOK))
    assert found.initial == pytest.approx(2 * 1.03 + 2 * 8.03)
    assert found.maintenance == 0.0
    found = aevo.margin_of(OptionPortfolio(options={"BTC": (held,)}), shipped(aevo.RULEBOOK))
    assert found.initial == pytest.approx(2 * 1.0 + 2 * 12.0)


def test_futures_ask_more_a_coin_as_they_grow():
    rows = [deribit.FuturePosition(instrument="f", settle="BTC", mark=1.0, coins=q) for q in (100.0, -200.0)]
    found = deribit.margin_of(deribit.Portfolio(futures={"BTC": tuple(rows)}), shipped(deribit.RULEBOOK))
    # 2 % + 0.5 % for each 100 coins; maintenance: two thirds, or 1 % and the slope, whichever is more.
    assert [m.initial for m in found.futures["BTC"]] == pytest.approx([2.5, 6.0])
    assert [m.maintenance for m in found.futures["BTC"]] == pytest.approx([100 * 0.025 * 2 / 3, 4.0])
    assert found.initial == pytest.approx({"BTC": 8.5})


@pytest.mark.parametrize(("reading", "rate"), [("fraction", 0.03 * 2 / 3), ("base", 0.02), ("higher", 0.02)])
def test_readings_of_the_open_rule(reading, rate):
    parameters = replace(shipped(deribit.RULEBOOK), future_maintenance=reading)
    assert deribit.future_maintenance_rate(200.0, parameters.coins["BTC"], parameters) == pytest.approx(rate)


def test_working_orders_of_futures_count_at_the_worst_fill():
    row = deribit.FuturePosition(instrument="f", settle="BTC", mark=1.0, coins=-10.0, buys=5.0, sells=90.0)
    found = deribit.margin_of(deribit.Portfolio(futures={"BTC": (row,)}), shipped(deribit.RULEBOOK))
    assert found.futures["BTC"][0].initial == pytest.approx(100 * 0.025)


@given(st.sampled_from(RULEBOOKS), st.sampled_from(("call", "put")), st.floats(1.0, 1e3), st.floats(0.0, 1e3))
def test_initial_is_not_below_maintenance_and_holds_the_mark(rulebook, right, strike, mark):
    initial, maintenance = short_option_margin((option(right, strike=strike, mark=mark),), rates(rulebook))
    assert initial[0] >= maintenance[0] >= mark


@given(st.sampled_from(RULEBOOKS), st.sampled_from(("initial", "initial_floor", "maintenance", "mark_put")))
def test_requirement_rises_with_every_rate(rulebook, name):
    base = rates(rulebook)
    held = tuple(
        option(right, strike=k, mark=m) for right in ("call", "put") for k in (80.0, 120.0) for m in (0.0, 50.0)
    )
    low, high = (short_option_margin(held, replace(base, **{name: x})) for x in (0.0, 10.0))
    assert (low[0] <= high[0]).all()
    assert (low[1] <= high[1]).all()


@pytest.mark.parametrize("rulebook", RULEBOOKS)
def test_one_unit_of_dust_and_many_assets(rulebook):
    held = tuple(option(instrument=f"{n}", quantity=-1e-18) for n in range(128))
    initial, _ = short_option_margin(held, rates(rulebook))
    assert initial == pytest.approx([12.0] * 128)
    assert short_option_margin((), rates(rulebook))[0].shape == (0,)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: option(strike=0.0),
        lambda: option(mark=math.nan),
        lambda: option(mark=-1.0),
        lambda: option(quantity=math.inf),
        lambda: option(entry=math.nan),
        lambda: replace(rates(aevo.RULEBOOK), initial=-0.1),
        lambda: deribit.FuturePosition(instrument="f", settle="BTC", mark=0.0, coins=1.0),
    ],
)
def test_numbers_out_of_range_are_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


def test_coin_without_rates_is_refused():
    with pytest.raises(UnknownName, match="DOGE"):
        aevo.margin_of(OptionPortfolio(options={"DOGE": ()}), shipped(aevo.RULEBOOK))


def test_book_of_inverse_options_and_a_perpetual():
    book = account((CALL, -2.0), (PUT, 3.0), ("BTC-I.V", 10_000.0), collateral={"BTC": 1.0, "SOL": 2.0})
    found = ask(deribit.RULEBOOK, book)
    value = values_usd(book.table, world())[book.table.row[CALL]]
    # Call 10 % out of the money: floor of 0.10 coins at 100,000 USD; the perpetual is a tenth of a coin.
    options = 2 * (0.10 * 100_000.0 + value)
    future = (0.02 + 0.00005 * 0.1) * 0.1 * 100_000.0
    assert [t.name for t in found.terms] == ["options BTC", "futures BTC"]
    assert found.initial_usd == pytest.approx(options + future)
    assert found.equity_usd == pytest.approx(100_000.0)
    assert found.refused == ("collateral SOL",)
    assert found.certainty == "approximate"
    assert not [n for n in found.notes if "segregated" in n]


def test_segregated_accounts_are_pointed_out():
    found = ask(deribit.RULEBOOK, account((CALL, -2.0), collateral={"USDC": 1e6}))
    assert any("BTC alone" in n for n in found.notes)


@pytest.mark.parametrize("rulebook", [bybit.RULEBOOK, aevo.RULEBOOK])
def test_book_at_venues_of_linear_options(rulebook):
    book = account(("BTC-C.V", -1.0, 99_000.0), ("ETH-P.V", 1.0), orders=(("BTC-X.V", 2.0),), collateral={"USDC": 5.0})
    found = ask(rulebook, book)
    value = values_usd(book.table, world())[book.table.row["BTC-C.V"]]
    put = values_usd(book.table, world())[book.table.row["BTC-X.V"]]
    is_bybit = rulebook.id.startswith("bybit")
    fee = min(0.0003 * 100_000.0, 0.125 * put) if is_bybit else 0.0
    expected = 10_000.0 + (99_000.0 if is_bybit else value) + 2 * (put + fee)
    assert found.initial_usd == pytest.approx(expected)
    assert found.refused == ("ETH-P.V",)
    assert found.equity_usd == 5.0
    assert found.certainty == "approximate"


@pytest.mark.parametrize("rulebook", [bybit.RULEBOOK, aevo.RULEBOOK])
def test_inverse_options_are_read_as_linear_ones(rulebook):
    book = account((CALL, -1.0, 0.5), (PUT, -2.0))
    found = ask(rulebook, book)
    value = dict(zip(book.table.ids, values_usd(book.table, world()), strict=True))
    # Both 10 % out of the money: the floor of 10 %. Bybit keeps the half coin that the call was sold for.
    call = 50_000.0 if rulebook.id.startswith("bybit") else value[CALL]
    assert found.initial_usd == pytest.approx(3 * 10_000.0 + call + 2 * value[PUT])
    assert found.certainty == "exact"
    assert found.notes == ("inverse options are read as linear ones",)


def test_collateral_counts_at_its_ratio_and_debt_in_full():
    found = ask(aevo.RULEBOOK, account(collateral={"ETH": 2.0, "USDC": -100.0, "BTC": -0.001, "SOL": 1.0}))
    assert found.equity_usd == pytest.approx(0.9 * 8_000.0 - 100.0 - 100.0)
    assert found.refused == ("collateral SOL",)


@pytest.mark.parametrize("rulebook", RULEBOOKS)
def test_empty_account_and_missing_feed(rulebook):
    assert ask(rulebook, account()).initial_usd == 0.0
    poor = build_snapshot(market(underlying("ETH", 4_000.0)))
    with pytest.raises(MissingFactors, match="BTC"):
        rulebook.evaluate(account(("BTC-C.V", -1.0)), poor, shipped(rulebook))
