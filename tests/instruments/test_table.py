"""Tables of instruments: every field lands in its column, and numbers out of range are refused by name."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, ExpiredInstrument, InvalidInput
from crossmargin.core.instant import NEVER_NS
from crossmargin.instruments.table import Family, PayoutCode, build_table, settlement_asset
from crossmargin.instruments.terms import (
    AnyTerms,
    BondFuture,
    Delta,
    Forward,
    Future,
    Gamma,
    Option,
    Perpetual,
    Sensitivities,
    Spot,
)
from tests.strategies import AS_OF_MS, YEAR_MS, american_terms, contracts, few, markets

NOW_NS = AS_OF_MS * 1_000_000
EXPIRY = AS_OF_MS + YEAR_MS
OPTION = Option(id="O.X", underlying="BTC", payout="linear", settle="USDC", expiry=EXPIRY, strike=5.0, right="put")
BOND = BondFuture(
    id="B",
    underlying="TY",
    settle="USD",
    expiry=EXPIRY,
    coupon=0.06,
    maturity=EXPIRY + YEAR_MS,
    conversion_factor=0.9,
    multiplier=1_000.0,
)
FORWARD = Forward(id="F", underlying="EUR", settle="USD", expiry=EXPIRY, strike=1.1)
PERPETUAL = Perpetual(id="P", underlying="BTC", payout="inverse", settle="BTC")
LADDER = Sensitivities(
    id="L",
    settle="EUR",
    deltas=(Delta(factor="rate:EUR", amount=1.0),),
    gammas=(Gamma(factor="spot:BTC", amount=1.0),),
)
SPOT = Spot(id="S", asset="USDC", chain="eip155:1")


def altered(terms: AnyTerms, **fields: object) -> AnyTerms:
    return msgspec.structs.replace(terms, **fields)


@few
@given(st.data())
def test_every_field_lands_in_its_column(data: st.DataObject):
    market = data.draw(markets())
    terms = (*data.draw(contracts(market)), data.draw(american_terms(market, "AMERICAN.X")))
    table = build_table(terms, now_ns=int(market.as_of) * 1_000_000)
    assert table.ids == tuple(t.id for t in terms)
    for i, t in enumerate(terms):
        underlying = table.underlyings[table.underlying[i]] if table.underlying[i] >= 0 else ""
        assert underlying == getattr(t, "underlying", "")
        assert table.assets[table.settle[i]] == settlement_asset(t)
        assert (table.chains[table.chain[i]] if table.chain[i] >= 0 else "") == getattr(t, "chain", "")
        assert Family(table.family[i]).name.lower() == msgspec.to_builtins(t)["family"]
        assert PayoutCode(table.payout[i]).name.lower() == getattr(t, "payout", "linear")
        assert table.multiplier[i] == getattr(t, "multiplier", 1.0)
        assert table.strike[i] == getattr(t, "strike", 0.0)
        assert table.right[i] == {"call": 1.0, "put": -1.0}.get(getattr(t, "right", ""), 0.0)
        american = getattr(t, "exercise", "") == "american"
        assert table.american[i] == american
        assert table.on_future[i] == (getattr(t, "deliverable", "") == "future")
        assert table.upfront[i] == (getattr(t, "premium", "upfront") == "upfront")
        assert table.discounted[i] == (american or getattr(t, "discounted", False))
        expiry = getattr(t, "expiry", None)
        assert table.expiry_ns[i] == (NEVER_NS if expiry is None else expiry * 1_000_000)
        assert table.venues[table.venue[i]] == t.id.rpartition(".")[2]
        assert table.bonds.get(i, table.ladders.get(i, t)) is t
    assert table.rows_of(*Family).tolist() == list(range(len(terms)))
    assert [table.row[name] for name in table.ids] == list(range(len(terms)))


@few
@given(st.data())
def test_terms_survive_json(data: st.DataObject):
    market = data.draw(markets())
    terms = data.draw(contracts(market))
    again = msgspec.json.decode(msgspec.json.encode(terms), type=tuple[AnyTerms, ...])
    assert again == terms
    now_ns = int(market.as_of) * 1_000_000
    assert build_table(again, now_ns=now_ns).hash() == build_table(terms, now_ns=now_ns).hash()


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (OPTION, "strike"),
        (OPTION, "multiplier"),
        (PERPETUAL, "multiplier"),
        (FORWARD, "multiplier"),
        (BOND, "multiplier"),
        (BOND, "conversion_factor"),
    ],
)
def test_sizes_and_strikes_are_positive(terms: AnyTerms, field: str, bad: float):
    with pytest.raises(InvalidInput, match=rf"^instruments: {terms.id}: {field.replace('_', ' ')} is .* Correct"):
        build_table([altered(terms, **{field: bad})], now_ns=NOW_NS)


def test_the_strike_of_a_forward_may_be_negative_but_is_a_number():
    assert build_table([altered(FORWARD, strike=-3.0)], now_ns=NOW_NS).strike[0] == -3.0
    with pytest.raises(InvalidInput, match="F: strike is nan"):
        build_table([altered(FORWARD, strike=math.nan)], now_ns=NOW_NS)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (altered(BOND, coupon=1.5), "B: coupon is 1.5"),
        (altered(BOND, coupon=-0.01), "B: coupon is -0.01"),
        (altered(BOND, coupons_per_year=0), "coupons per year is 0"),
        (altered(BOND, coupons_per_year=13), "coupons per year is 13"),
        (altered(BOND, maturity=EXPIRY), "B: maturity is .* after the delivery"),
        (altered(LADDER, deltas=(Delta(factor="rate:EUR", amount=math.nan),)), "L: sensitivity to rate:EUR is nan"),
        (altered(LADDER, gammas=(Gamma(factor="spot:BTC", amount=math.inf),)), "sensitivity to spot:BTC is inf"),
        (altered(OPTION, expiry="soon"), r"expiry of O\.X: time is 'soon'"),
        (altered(OPTION, expiry="9999-01-01T00:00:00Z"), "from 1678 to 2261"),
        (altered(OPTION, exercise="american", payout="inverse"), "exercise is 'american'"),
    ],
)
def test_terms_out_of_range_are_refused(terms: AnyTerms, said: str):
    with pytest.raises(InvalidInput, match=said):
        build_table([terms], now_ns=NOW_NS)


@pytest.mark.parametrize("terms", [OPTION, FORWARD, BOND, Future(**{**msgspec.structs.asdict(PERPETUAL), "expiry": 0})])
@pytest.mark.parametrize("late_ns", [0, 1])
def test_what_expires_at_or_before_the_valuation_time_is_refused(terms: AnyTerms, late_ns: int):
    expiry_ns = build_table([altered(terms, expiry=EXPIRY)], now_ns=NOW_NS).expiry_ns[0]
    with pytest.raises(
        ExpiredInstrument, match=rf"expiry of {terms.id}.*after the valuation time.*Settle the position"
    ):
        build_table([altered(terms, expiry=EXPIRY)], now_ns=int(expiry_ns) + late_ns)
    assert len(build_table([altered(terms, expiry=EXPIRY)], now_ns=int(expiry_ns) - 1)) == 1


def test_an_id_stands_once():
    with pytest.raises(DuplicateName, match=r"instruments\[1\]: instrument is 'P'"):
        build_table([PERPETUAL, PERPETUAL], now_ns=NOW_NS)


def test_columns_cannot_be_written():
    table = build_table([OPTION, PERPETUAL, BOND, LADDER, SPOT], now_ns=NOW_NS)
    for name in table.__dataclass_fields__:
        column = getattr(table, name)
        if isinstance(column, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                column[0] = 1


def test_the_hash_knows_every_term():
    changed = [OPTION] + [
        altered(OPTION, **{field: x})
        for field, x in {
            "id": "Q",
            "underlying": "ETH",
            "payout": "quanto",
            "settle": "USDT",
            "expiry": EXPIRY + 1,
            "strike": 6.0,
            "right": "call",
            "multiplier": 2.0,
            "exercise": "american",
            "premium": "futures",
            "deliverable": "future",
            "discounted": False,
        }.items()
    ]
    assert len({build_table([t], now_ns=NOW_NS).hash() for t in changed}) == len(changed)
    assert len(changed) == 1 + len(Option.__struct_fields__)


def test_unknown_fields_and_families_are_refused():
    for raw in (
        {"family": "option", "id": "O"},
        {"family": "swap", "id": "S"},
        {"family": "spot", "id": "S", "asset": "X", "y": 1},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(raw, AnyTerms)
