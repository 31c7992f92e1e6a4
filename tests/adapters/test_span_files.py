"""Readers of risk-parameter files: two formats of one made-up file, its margin by hand, and what is refused."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.documents import decode
from crossmargin.adapters.span_choice import SpanChoice
from crossmargin.adapters.span_files import read_span, read_span_rule
from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnknownName, UnreadableFile
from crossmargin.margin.rulebooks.span.parameters import SpanParameters
from crossmargin.margin.rulebooks.span.scan import margin_of
from tests.adapters.span_texts import (
    CALL,
    INTER,
    INTRA,
    NEAR,
    array_records,
    positional,
    record,
    xml,
)

PERCENT = SpanChoice(credit_rates="percent")
NEAR_ID, FAR_ID, MINI_ID = "XYZ:IDX:FUT:202606", "XYZ:IDX:FUT:202609", "XYZ:MNI:FUT:202606"
CALL_ID = "XYZ:IDX:OOF:202606:C5200"
FILES = {"positional": positional(), "xml": xml()}


def read(name: str) -> SpanParameters:
    return read_span(FILES[name], where=f"{name} file", choice=PERCENT)


@pytest.mark.parametrize("name", FILES)
def test_contracts_are_read(name):
    found = read(name)
    assert (found.date, found.source) == ("2026-03-31", f"XYZ risk parameters, {name} file")
    index, mini = found.commodities
    assert [c.id for c in index.contracts] == [NEAR_ID, FAR_ID, CALL_ID]
    call = index.contracts[2]
    assert (call.losses, call.delta, call.period, call.right) == (tuple(map(float, CALL)), 0.4, "202606", "call")
    assert (call.premium, call.value, call.short_minimum) == (True, pytest.approx(20.5 * 50.0), 120.0)
    assert index.contracts[0].losses == tuple(map(float, NEAR))
    assert [c.delta for c in (*index.contracts, *mini.contracts)] == [1.0, 1.0, 0.4, 0.5]
    assert index.rules.initial_ratio == pytest.approx(1.1)
    assert [p.pair for p in found.points][:4] == [2, 1, 4, 3]


@pytest.mark.parametrize("name", FILES)
def test_a_portfolio_of_the_file_by_hand(name):
    found = margin_of({NEAR_ID: 3.0, FAR_ID: -1.0, MINI_ID: -4.0}, read(name))
    index = found.commodity("IDX")
    # Net two long lose 10,000. One spread between months: 400; of three near deltas one is spread (20), two left (60).
    assert (index.scan, index.intra_charge, index.spot_charge) == (10_000.0, 400.0, 80.0)
    # Minis: 4 short lose 12,000 over 2 deltas, so 6,000 a delta. Two index deltas would need four: one spread takes one
    # of the index (5,000) and two of minis; the credit is 80 % of both.
    assert (index.inter_credit, found.commodity("MINI").inter_credit) == pytest.approx((4_000.0, 9_600.0))
    assert found.maintenance == pytest.approx(10_480.0 - 4_000.0 + 12_000.0 - 9_600.0)
    assert found.initial == pytest.approx(1.1 * 6_480.0 + 2_400.0)


@pytest.mark.parametrize("name", FILES)
def test_a_sold_option_of_the_file_by_hand(name):
    # Sold at 20.5 times 50; it loses 2,000 at a full rise; the minimum of 120 does not bind.
    found = margin_of({CALL_ID: -1.0}, read(name))
    # Price risk is (2,000 + 2,000)/2 less time risk (300 − 350)/2; 0.4 deltas left outright in delivery cost 12.
    assert found.commodity("IDX").price_risk == pytest.approx(2_025.0)
    assert found.maintenance == pytest.approx(2_000.0 + 0.4 * 30.0 + 1_025.0)


def test_both_formats_say_the_same():
    one, other = (msgspec.to_builtins(read(name)) for name in FILES)
    for left, right in zip(one["commodities"], other["commodities"], strict=True):
        assert left["contracts"] == right["contracts"]
        assert left["rules"]["spreads"] == right["rules"]["spreads"]
        assert left["rules"]["tiers"] == right["rules"]["tiers"]
    assert one["inter_spreads"] == other["inter_spreads"]


@pytest.mark.parametrize("name", FILES)
def test_parameters_survive_a_file_of_the_users(name):
    found = read(name)
    assert decode(msgspec.json.encode(found), SpanParameters, syntax="json", where="t") == found


@pytest.mark.parametrize("name", FILES)
def test_only_the_wanted_commodities_are_read(name):
    found = read_span(FILES[name], choice=SpanChoice(commodities=("MINI",)))
    assert [c.code for c in found.commodities] == ["MINI"]
    assert found.inter_spreads == ()
    with pytest.raises(UnknownName, match="NONE"):
        read_span(FILES[name], choice=SpanChoice(commodities=("NONE",)))


@pytest.mark.parametrize(("account", "ratio"), [("member", 1.0), ("hedger", 1.05), ("speculator", 1.1)])
def test_the_kind_of_account_chooses_its_ratio(account, ratio):
    found = read_span(positional(), choice=SpanChoice(account=account))
    assert found.commodities[0].rules.initial_ratio == pytest.approx(ratio)


def test_scanrange_is_what_a_future_loses_for_a_delta():
    capped = read_span(positional(S=record(c1="S", c3="IDX", c9="01", c83="2"))).commodities[0].rules
    assert (capped.price_risk, capped.price_scan) == ("scanrange_cap", 5_000.0)
    same = read_span(xml().replace(b"<wfprMeth>NORMAL", b"<wfprMeth>SCANRANGE"), choice=PERCENT).commodities[0].rules
    assert (same.price_risk, same.price_scan) == ("scanrange", 5_000.0)


def test_other_records_of_the_positional_format():
    month = record(c1="E", c3="IDX", c9="00002", c14="0000350", c21="2606", c28="010000A", c35="2609", c42="010000B")
    flat = record(c1="6", c3="GRP", c6="0002", c10="0012550", c17="XYZ", c21="IDX", c27="0010000A", c35="XYZ",
                  c39="MINI", c45="0010000B", c89="01", c101="F")  # fmt: skip
    tiers = record(c1="S", c3="IDX", c9="10", c11="02", c13="01202606202606", c27="02202609202612", c83="1")
    found = read_span(positional(month, flat, record(c1="T"), record(c1="5"), S=tiers))
    rules = found.commodities[0].rules
    assert [s.charge for s in rules.spreads] == [400.0, 350.0]
    assert [leg.period for leg in rules.spreads[1].legs] == ["202606", "202609"]
    assert (found.inter_spreads[1].rate_type, found.inter_spreads[1].rate) == ("flat", 125.5)
    assert [(t.first, t.last) for t in rules.scan_tiers] == [("202606", "202606"), ("202609", "202612")]


def test_decimals_of_arrays_and_days_of_contracts():
    scaled = record(c1="2", c3="XYZ", c7="MINI", c13="1", c14="JPY", c23="MNI".ljust(10) + "FUT3+")
    day = [line[:35] + "15" + line[37:] for line in array_records("MNI", "FUT", "202606", NEAR, 1.0, 1)]
    found = read_span(positional(*day, **{"2B": scaled}), choice=SpanChoice(commodities=("MINI",))).commodities[0]
    assert found.currency == "JPY"
    assert [(c.id, c.period) for c in found.contracts][1] == ("XYZ:MNI:FUT:20260615", "20260615")
    assert found.contracts[1].losses[12] == pytest.approx(5_000.0 * 10.0 / 1e3)


def test_futures_style_options_have_no_option_value():
    style = record(c1="2", c3="XYZ", c7="IDX", c13="0", c14="USD", c18="F", c23="IDX".ljust(10) + "FUT",
                   c39="IDX".ljust(10) + "OOF")  # fmt: skip
    assert margin_of({CALL_ID: 1.0}, read_span(positional(**{"2A": style}))).commodity("IDX").option_value == 0.0
    same = read_span(xml().replace(b"EQTY", b"FUT"), choice=PERCENT)
    assert margin_of({CALL_ID: 1.0}, same).commodity("IDX").option_value == 0.0


def test_the_value_of_a_contract_may_be_stated():
    assert read_span(xml(option="<val>999</val>"), choice=PERCENT).commodities[0].contracts[2].value == 999.0


@pytest.mark.parametrize(
    ("raw", "error", "message"),
    [
        (positional(record(c1="83", c3="XYZ")), InvalidInput, "record"),
        (positional(record(c1="Q")), InvalidInput, "record"),
        (positional(**{"0": record(c1="0", c9="20260331", c36="UP")}), InvalidInput, "format"),
        (positional(without=("0",)), UnreadableFile, "record 0"),
        (positional(without=("P2",)), InvalidInput, "record P"),
        (positional(without=("2A",)), UnknownName, "IDX"),
        (positional(**{"3": record(c1="3", c3="IDX", c9="07")}), InvalidInput, "method"),
        (positional(**{"4": record(c1="4", c3="IDX", c9="11")}), InvalidInput, "delivery"),
        (positional(S=record(c1="S", c3="IDX", c9="30")), InvalidInput, "scanning"),
        (positional(S=record(c1="S", c3="IDX", c9="01", c83="7")), UnknownName, "7"),
        (positional().replace(b"01          W", b"04          W"), InvalidInput, "method"),
        (positional(*array_records("IDX", "FUT", "202606", NEAR, 1.0, 1)), InvalidInput, "record 81"),
        (positional(*array_records("IDX", "FUT", "202612", NEAR, 1.0, 1, first_only=True)), InvalidInput, "record 82"),
        (positional().replace(b"81XYZIDX       ", b"81XYZIDX      \xff"), UnreadableFile, "no text"),
        (positional().replace(b"0000400", b"00O0400"), InvalidInput, "columns 15-21"),
        (positional().replace(b"FUT               002", b"FUT               999"), InvalidInput, "decimals"),
        (b"", UnreadableFile, "record 0"),
        (b"PK\x03\x04rest", UnreadableFile, "archive"),
        (xml(head='<!DOCTYPE x [<!ENTITY a "b">]>'), UnreadableFile, "document type"),
        (xml(head='<!DOCTYPE x SYSTEM "file.dtd">'), UnreadableFile, "document type"),
        (xml()[:-20], UnreadableFile, "XML"),
        (xml().replace(b'"UTF-8"', b'"none"'), UnreadableFile, "XML"),
        (xml().replace(b'"UTF-8"', b'"shift_jis"'), UnreadableFile, "XML"),
        (b"<a>" * 100, UnreadableFile, "deep"),
        (b"<spanFile/>", UnreadableFile, "no clearing house"),
        (xml(rules="<dSpread><spread>2</spread><rpLeg/></dSpread>"), InvalidInput, "rpLeg"),
        (xml(intra=INTRA.replace("<chargeMeth>F", "<chargeMeth>Z")), UnknownName, "charge_methods"),
        (xml(intra=INTRA.replace("<chargeMeth>F", "<chargeMeth>W")), InvalidInput, "an amount"),
        (xml(inter=INTER.replace("dSpread", "sSpread")), InvalidInput, "sSpread"),
        (xml(inter=INTER.replace("<rs>A", "<rs>C")), InvalidInput, "rs"),
        (xml(rules="<adjRate><r>3</r><baseR>1</baseR><val>1.2</val></adjRate>"), InvalidInput, "initial_rate"),
        (xml().replace(b"<somMeth>GROSS", b"<somMeth>NEW"), InvalidInput, "somMeth"),
        (xml().replace(b"<procMeth>NORMAL", b"<procMeth>LIQ"), InvalidInput, "procMeth"),
        (xml().replace(b"<a>-300</a>", b""), InvalidInput, "losses"),
        (xml().replace(b"<a>-300</a>", b"<a>nan</a>"), InvalidInput, "finite"),
        (xml().replace(b"<a>-300</a>", b"<a>x</a>"), InvalidInput, "number"),
        (xml().replace(b"<a>-300</a>", b"<a>3_0</a>"), InvalidInput, "number"),
        (xml().replace(b"<pairedPoint>16", b"<pairedPoint>17"), InvalidInput, "pair"),
        (xml().replace(b"<point>16</point>", b"<point>17</point>"), InvalidInput, "points"),
        (xml().replace(b"<cc>MINI</cc><currency>USD", b"<cc>MINI</cc><currency>EUR"), InvalidInput, "currency"),
        (xml().replace(b"<pe>202609</pe>", b"<pe>202606</pe>"), DuplicateName, "contract"),
        (xml().replace(b"<pfType>FUT</pfType><sc>1", b"<pfType>FUT</pfType><sc>2"), InvalidInput, "sc"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(raw, error, message):
    with pytest.raises(error, match=message):
        read_span(raw, where="file", choice=PERCENT)


def test_the_unit_of_credit_rates_is_never_assumed():
    with pytest.raises(InvalidInput, match="credit_rates"):
        read_span(xml())
    fraction = read_span(xml(inter=INTER.replace("80", "0.8")), choice=SpanChoice(credit_rates="fraction"))
    assert fraction.inter_spreads[0].rate == pytest.approx(0.8)


def test_a_document_of_the_users_names_the_file_and_maps_a_book(tmp_path):
    (tmp_path / "day.pa2").write_bytes(positional())
    path = tmp_path / "span.toml"
    path.write_text(f"""file = "day.pa2"
choice = {{ account = "member" }}
mapping = {{ "ES-JUN" = {{ contract = "{NEAR_ID}", contracts = 2.0 }} }}
ranges = {{ BTC = {{ price = 0.2, volatility = 0.3 }} }}
""")
    found = read_span_rule(path)
    assert found.mapping["ES-JUN"].contracts == 2.0
    assert found.commodities[0].rules.initial_ratio == 1.0
    assert list(found.ranges) == ["BTC"]
    path.write_text('file = "day.pa2"\nmapping = { X = { contract = "none" } }')
    with pytest.raises(UnknownName, match="none"):
        read_span_rule(path)
    path.write_text('source = "desk"\ndate = "2026-03-31"\n[ranges.BTC]\nprice = 0.2\nvolatility = 0.3')
    assert read_span_rule(path).source == "desk"
    path.write_text('file = "none.pa2"')
    with pytest.raises(UnreadableFile, match=r"none\.pa2"):
        read_span_rule(path)


def test_bounds_hold(monkeypatch):
    monkeypatch.setattr("crossmargin.adapters.span_files.SIZE_MOST", 10)
    with pytest.raises(UnreadableFile, match="bytes"):
        read_span(positional())


@given(st.sampled_from(sorted(FILES)), st.integers(0, 6000), st.binary(max_size=8))
def test_a_damaged_file_is_read_or_refused(name, at, junk):
    raw = FILES[name]
    with contextlib.suppress(CrossmarginError):
        read_span(raw[:at] + junk + raw[at + len(junk) :], choice=PERCENT)
