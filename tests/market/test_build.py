"""From documents to snapshots: what is refused, and that a refusal says where and how to mend it."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import (
    DuplicateName,
    ExpiredInstrument,
    InvalidInput,
    MissingFactors,
    SurfaceArbitrage,
)
from crossmargin.market import document as doc
from crossmargin.market.build import build_snapshot
from tests.strategies import AS_OF_MS, DAY_MS, YEAR_MS, few, markets
from tests.worlds import flat_surface, market, underlying

BTC = underlying("BTC", 50_000.0, surface=flat_surface(0.6))
EXPIRY = AS_OF_MS + YEAR_MS
BAD = [math.nan, math.inf, -math.inf]


def changed(u: doc.Underlying = BTC, **fields: object) -> doc.MarketDocument:
    return market(msgspec.structs.replace(u, **fields))


def slices(*params: tuple[float, ...]) -> doc.Surface:
    names = ("a", "b", "rho", "m", "sigma")
    found = (
        doc.Slice(expiry=AS_OF_MS + (i + 1) * YEAR_MS, **dict(zip(names, p, strict=True))) for i, p in enumerate(params)
    )
    return doc.Surface(slices=tuple(found))


@few
@given(markets())
def test_every_random_market_builds_and_says_the_same_twice(document: doc.MarketDocument):
    assert build_snapshot(document).hash == build_snapshot(document).hash


@pytest.mark.parametrize("bad", [*BAD, 0.0, -1.0])
def test_prices_are_positive_and_finite(bad: float):
    for document in (
        changed(spot=bad),
        changed(forwards=(doc.ForwardPoint(expiry=EXPIRY, forward=bad),)),
        market(BTC, marks=(doc.Mark(instrument="P", underlying="BTC", price=bad),)),
        market(BTC, assets=(doc.Asset(name="USDC", reference="USD", ratio=bad),)),
        market(BTC, assets=(doc.Asset(name="USDC", reference="USD", market_ratio=bad),)),
    ):
        with pytest.raises(InvalidInput, match=r"^market: .* (price|forward|ratio).* is .*Correct the source"):
            build_snapshot(document)


@pytest.mark.parametrize("bad", BAD)
def test_nothing_that_is_not_finite_enters(bad: float):
    liquid = doc.Liquidity(adv_usd=1e9, half_spread_bps=1.0, daily_vol=0.02)
    for document in (
        changed(funding_daily=bad),
        changed(confidence_bps=bad),
        changed(dispersion_bps=bad),
        *(changed(liquidity=msgspec.structs.replace(liquid, **{f: bad})) for f in liquid.__struct_fields__),
        *(
            changed(surface=slices(tuple(bad if i == j else x for j, x in enumerate((0.1, 0.1, 0.0, 0.0, 0.1)))))
            for i in range(5)
        ),
        market(BTC, rates=(doc.RateCurve(currency="USD", points=(doc.RatePoint(tenor_years=1.0, rate=bad),)),)),
        market(BTC, rates=(doc.RateCurve(currency="USD", points=(doc.RatePoint(tenor_years=bad, rate=0.0),)),)),
        market(BTC, assets=(doc.Asset(name="USDC", reference="USD", confidence_bps=bad),)),
        market(BTC, correlations=doc.Correlations(names=("BTC",), matrix=((bad,),))),
    ):
        with pytest.raises(InvalidInput, match=r"^market: .* finite"):
            build_snapshot(document)


def test_prices_that_may_be_negative_are_so_everywhere():
    crude = underlying(
        "CL",
        -37.63,
        kind="index",
        surface=flat_surface(0.5, scale=30.0),
        forwards=(doc.ForwardPoint(expiry=EXPIRY, forward=-5.0),),
    )
    found = build_snapshot(market(crude, marks=(doc.Mark(instrument="F", underlying="CL", price=-37.63),)))
    assert found.marks["F"].price == -37.63
    with pytest.raises(InvalidInput, match="finite"):
        build_snapshot(market(crude, marks=(doc.Mark(instrument="F", underlying="CL", price=math.nan),)))


def test_nothing_is_held_whose_price_may_be_negative():
    crude = underlying("CL", 20.0, kind="index", surface=flat_surface(0.5, scale=30.0))
    with pytest.raises(InvalidInput, match=r"OIL: reference is 'CL'.*above zero"):
        build_snapshot(market(crude, assets=(doc.Asset(name="OIL", reference="CL"),)))


def test_all_that_is_referred_to_and_absent_is_named_at_once():
    document = market(
        underlying("BTC", 5e4, quote="USDT"),
        assets=(doc.Asset(name="WBTC", reference="BTCB"),),
        marks=(doc.Mark(instrument="P", underlying="ETH", price=1.0),),
    )
    with pytest.raises(MissingFactors) as caught:
        build_snapshot(document)
    assert set(caught.value.factors) == {"asset USDT", "underlying BTCB", "underlying ETH"}


def test_prices_in_a_circle_are_refused():
    pair = (underlying("AAA", 2.0, quote="BBB"), underlying("BBB", 0.5, quote="AAA"))
    coins = tuple(doc.Asset(name=name, reference=name) for name in ("AAA", "BBB"))
    with pytest.raises(InvalidInput, match=r"price is 'AAA in BBB in AAA'.*USD in the end"):
        build_snapshot(market(*pair, assets=coins))
    itself = market(underlying("AAA", 2.0, quote="AAA"), assets=coins[:1])
    with pytest.raises(InvalidInput, match="'AAA in AAA'"):
        build_snapshot(itself)


@pytest.mark.parametrize("name", ["", "BTC:30d", "BTC*", "B TC"])
def test_names_must_fit_into_factors(name: str):
    for document in (
        market(underlying(name, 1.0), assets=()),
        market(BTC, assets=(doc.Asset(name=name, reference="USD"),)),
        market(BTC, rates=(doc.RateCurve(currency=name, points=(doc.RatePoint(tenor_years=1.0, rate=0.0),)),)),
    ):
        with pytest.raises(InvalidInput, match="without colon, asterisk or space"):
            build_snapshot(document)


def test_usd_is_the_unit_and_nothing_else():
    with pytest.raises(InvalidInput, match=r"asset is 'USD'.*unit of all values"):
        build_snapshot(market(BTC, assets=(doc.Asset(name="USD", reference="USD", ratio=0.9),)))
    with pytest.raises(InvalidInput, match="underlying is 'USD'"):
        build_snapshot(market(underlying("USD", 1.0), assets=()))


def test_names_stand_once():
    points = (doc.RatePoint(tenor_years=1.0, rate=0.0),)
    curve, mark = doc.RateCurve(currency="USD", points=points), doc.Mark(instrument="P", underlying="BTC", price=1.0)
    stable = doc.Asset(name="USDC", reference="USD")
    for document, what in (
        (market(BTC, BTC, assets=()), "underlying"),
        (market(BTC, assets=(stable, stable)), "asset"),
        (market(BTC, rates=(curve, curve)), "rate curve"),
        (market(BTC, marks=(mark, mark)), "mark"),
        (market(BTC, correlations=doc.Correlations(names=("A", "A"), matrix=((1.0, 0.0), (0.0, 1.0)))), "name"),
    ):
        with pytest.raises(DuplicateName, match=rf"\[1\]: {what} is .* unique"):
            build_snapshot(document)


@pytest.mark.parametrize("offset", [0, -1, -DAY_MS])
def test_points_of_the_past_are_refused(offset: int):
    past = AS_OF_MS + offset
    with pytest.raises(ExpiredInstrument, match=r"market: BTC: forwards: expiry of point 0 .* after the valuation"):
        build_snapshot(changed(forwards=(doc.ForwardPoint(expiry=past, forward=1.0),)))
    flat = doc.Surface(slices=(doc.Slice(expiry=past, a=0.1, b=0.0, rho=0.0, m=0.0, sigma=1.0),))
    with pytest.raises(ExpiredInstrument):
        build_snapshot(changed(surface=flat))


def test_expiries_and_tenors_ascend():
    points = (doc.ForwardPoint(expiry=EXPIRY, forward=1.0), doc.ForwardPoint(expiry=EXPIRY, forward=2.0))
    with pytest.raises(InvalidInput, match=r"forwards\[1\]: expiry .* after the one before"):
        build_snapshot(changed(forwards=points))
    rates = (doc.RatePoint(tenor_years=2.0, rate=0.0), doc.RatePoint(tenor_years=1.0, rate=0.0))
    with pytest.raises(InvalidInput, match=r"rates of USD: tenors .* ascending"):
        build_snapshot(market(BTC, rates=(doc.RateCurve(currency="USD", points=rates),)))


def test_empty_curves_and_surfaces_are_refused():
    with pytest.raises(InvalidInput, match="surface: slices is 0"):
        build_snapshot(changed(surface=doc.Surface(slices=())))
    with pytest.raises(InvalidInput, match="rates of USD: points is 0"):
        build_snapshot(market(BTC, rates=(doc.RateCurve(currency="USD", points=()),)))


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ((0.1, -0.1, 0.0, 0.0, 0.1), "b is -0.1"),
        ((0.1, 2.1, 0.0, 0.0, 0.1), "b is 2.1"),
        ((0.1, 0.1, 1.5, 0.0, 0.1), "rho is 1.5"),
        ((0.1, 0.1, 0.0, 0.0, 0.0), "sigma is 0.0"),
        ((-0.1, 0.1, 0.0, 0.0, 0.1), "lowest total variance"),
    ],
)
def test_a_slice_out_of_range_is_refused_by_its_number(params: tuple[float, ...], what: str):
    with pytest.raises(InvalidInput, match=rf"surface.slices\[1\]: {what}"):
        build_snapshot(changed(surface=slices((0.1, 0.1, 0.0, 0.0, 0.1), params)))


def test_the_smile_of_axel_vogt_has_a_butterfly():
    # Gatheral and Jacquier (2014), section 3.1, figure 1: these parameters look harmless and admit butterflies.
    vogt = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
    with pytest.raises(SurfaceArbitrage, match=r"market: BTC: surface.slices\[0\]: g at k"):
        build_snapshot(changed(surface=slices(vogt)))


def test_variance_that_falls_with_time_is_refused():
    with pytest.raises(SurfaceArbitrage, match=r"slices\[1\]: growth of total variance .* later option costs less"):
        build_snapshot(changed(surface=slices((0.2, 0.0, 0.0, 0.0, 1.0), (0.1, 0.0, 0.0, 0.0, 1.0))))


@pytest.mark.parametrize(
    "matrix",
    [
        ((1.0, 0.5), (0.4, 1.0)),
        ((0.9, 0.5), (0.5, 1.0)),
        ((1.0, 0.9, -0.9), (0.9, 1.0, 0.9), (-0.9, 0.9, 1.0)),
    ],
)
def test_a_matrix_of_no_correlations_is_refused(matrix: tuple[tuple[float, ...], ...]):
    names = tuple("ABC"[: len(matrix)])
    with pytest.raises(InvalidInput, match=r"correlations: matrix .* nearest correlation matrix"):
        build_snapshot(market(BTC, correlations=doc.Correlations(names=names, matrix=matrix)))


def test_a_matrix_of_another_shape_is_refused():
    with pytest.raises(InvalidInput, match=r"correlations: shape is .* 2 × 2"):
        build_snapshot(market(BTC, correlations=doc.Correlations(names=("A", "B"), matrix=((1.0,), (0.0, 1.0)))))


@pytest.mark.parametrize("as_of", ["2026-03-31T15:00:00", "yesterday", 2**62])
def test_the_time_has_a_zone_and_a_year_we_hold(as_of: str | int):
    with pytest.raises(InvalidInput, match="market: as_of: time"):
        build_snapshot(msgspec.structs.replace(market(BTC), as_of=as_of))


def test_arrays_of_a_snapshot_cannot_be_written():
    found = build_snapshot(market(BTC, correlations=doc.Correlations(names=("BTC",), matrix=((1.0,),))))
    surface = found.underlyings["BTC"].surface
    assert surface is not None
    for array in (surface.params, surface.expiry_ns, found.rates["USD"].rate, found.correlation):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert isinstance(surface.params, np.ndarray)


@few
@given(st.data())
def test_the_order_of_a_document_changes_nothing(data: st.DataObject):
    document = data.draw(markets())
    shuffled = msgspec.structs.replace(
        document,
        underlyings=tuple(data.draw(st.permutations(document.underlyings))),
        assets=tuple(data.draw(st.permutations(document.assets))),
        rates=document.rates[::-1],
        source="another",
    )
    assert build_snapshot(shuffled).hash == build_snapshot(document).hash


def test_a_normal_surface_states_its_scale():
    surface = msgspec.structs.replace(flat_surface(0.5, scale=30.0), scale=None)
    with pytest.raises(InvalidInput, match="scale is None, but must be given for a normal surface"):
        build_snapshot(market(underlying("CL", 20.0, kind="index", surface=surface)))
