"""Standard margins of options against the venues' formulas written out, option by option."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.aevo_standard import options as aevo
from crossmargin.margin.rulebooks.bybit_standard import options as bybit
from crossmargin.margin.rulebooks.deribit_standard import standard as deribit
from crossmargin.margin.rulebooks.rulebook import Rulebook
from crossmargin.margin.rulebooks.short_options import ListedOption, OptionPortfolio
from spec.rulebooks import short_options as plain

RELATIVE = 1e-12


def shipped(rulebook: Rulebook):
    return rulebook.load(rulebook.dates()[-1])


@st.composite
def shorts(draw: st.DrawFn, inverse: bool | None = None) -> tuple[ListedOption, ...]:
    found = []
    for n in range(draw(st.integers(0, 6))):
        coin = draw(st.booleans()) if inverse is None else inverse
        index = draw(st.floats(1e-3, 2e5))
        found.append(
            ListedOption(
                instrument=f"option {n}",
                settle="BTC" if coin else "USDC",
                right=draw(st.sampled_from(("call", "put"))),
                strike=index * draw(st.floats(0.05, 10.0)),
                index=index,
                mark=draw(st.floats(0.0, 12.0)) * (1.0 if coin else index),
                quantity=draw(st.floats(-1e4, 1e4)),
                inverse=coin,
                entry=draw(st.none() | st.floats(0.0, 12.0).map(lambda x, s=index: x * s)),
            )
        )
    return tuple(found)


def terms(o: ListedOption) -> dict[str, float]:
    return {"call": o.right == "call", "strike": o.strike, "index": o.index, "mark": o.mark}


@given(shorts())
def test_deribit(options):
    found = deribit.margin_of(deribit.Portfolio(options={"BTC": options}), shipped(deribit.RULEBOOK)).options["BTC"]
    for o, m in zip(options, found, strict=True):
        rule = plain.deribit_inverse if o.inverse else plain.deribit_linear
        initial, maintenance = (x * max(-o.quantity, 0.0) for x in rule(**terms(o)))
        assert (m.initial, m.maintenance) == pytest.approx((initial, maintenance), rel=RELATIVE)


@given(shorts(inverse=False))
def test_bybit(options):
    parameters = shipped(bybit.RULEBOOK)
    found = bybit.margin_of(OptionPortfolio(options={"BTC": options}), parameters).options.get("BTC", ())
    for o, m in zip(options, found, strict=True):
        entry = o.mark if o.entry is None else o.entry
        initial, maintenance = plain.bybit(**terms(o), entry=entry)
        size = max(-o.quantity, 0.0)
        assert (m.initial, m.maintenance) == pytest.approx((initial * size, maintenance * size), rel=RELATIVE)


@given(shorts(inverse=False))
def test_aevo(options):
    found = aevo.margin_of(OptionPortfolio(options={"BTC": options}), shipped(aevo.RULEBOOK)).options["BTC"]
    for o, m in zip(options, found, strict=True):
        initial, maintenance = (x * max(-o.quantity, 0.0) for x in plain.aevo(**terms(o)))
        assert (m.initial, m.maintenance) == pytest.approx((initial, maintenance), rel=RELATIVE)


@given(st.floats(-1e5, 1e5), st.sampled_from(("BTC", "ETH")))
def test_deribit_futures(coins: float, coin: str):
    parameters = shipped(deribit.RULEBOOK)
    row = deribit.FuturePosition(instrument="future", settle=coin, mark=50_000.0, coins=coins)
    found = deribit.margin_of(deribit.Portfolio(futures={coin: (row,)}), parameters).futures[coin][0]
    slope = {"BTC": 0.00005, "ETH": 0.000004}[coin]
    expected = plain.deribit_future(coins=coins, slope=slope)
    assert (found.initial, found.maintenance) == pytest.approx(expected, rel=RELATIVE)


@given(shorts(inverse=False), st.floats(0.0, 5.0), st.floats(0.0, 50.0))
def test_bybit_sell_orders(options, price: float, sells: float):
    parameters = shipped(bybit.RULEBOOK)
    for o in options:
        one = ListedOption(
            instrument=o.instrument,
            settle="USDC",
            right=o.right,
            strike=o.strike,
            index=o.index,
            mark=o.mark,
            quantity=abs(o.quantity),
            sells=abs(o.quantity) + sells,
            sell_price=price * o.index,
        )
        found = bybit.margin_of(OptionPortfolio(options={"BTC": (one,)}), parameters).options["BTC"][0]
        initial, _ = plain.bybit(**terms(o), entry=o.mark)
        expected = plain.bybit_sell_order(initial, index=o.index, price=one.sell_price) * (one.sells - one.quantity)
        assert found.orders == pytest.approx(expected, rel=1e-9, abs=1e-9 * o.index * max(one.quantity, 1.0))
        assert found.initial == 0.0
