"""Documents: what they state arrives, and each refusal names the place, the value and the rule."""

import contextlib
import json
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.adapters.documents import decode
from crossmargin.adapters.files import builtin_models, read_book, read_market, read_model, read_stress
from crossmargin.adapters.writing import document_text
from crossmargin.core.errors import (
    CrossmarginError,
    DuplicateName,
    ExpiredInstrument,
    InvalidInput,
    MissingFactors,
    MixedValuationTime,
    SurfaceArbitrage,
    UnknownName,
    UnreadableFile,
)
from crossmargin.engine.model import ModelDocument
from crossmargin.market.document import MarketDocument
from crossmargin.portfolio.document import BookDocument


@pytest.fixture
def small(repository: Path) -> Path:
    return repository / "examples"


def edited(source: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of `source` in which `old` stands as `new`."""
    text = source.read_text()
    assert old in text
    target = folder / source.name
    target.write_text(text.replace(old, new, 1))
    return target


# Each row: what stands in examples/small-book.toml, what stands there instead, the error and words of its message.
BAD_BOOKS = [
    ("quantity = -10 ", "quantity = -10, colour = 1 ", UnknownName, r"accounts\[0\].groups\[0\].positions\[0\]: field"),
    ("quantity = -10 ", "quantity = [1] ", InvalidInput, r"positions\[0\].quantity: quantity is 'a list of 1'"),
    ("quantity = -10 ", "quantity = true ", InvalidInput, r"positions\[0\].quantity: quantity is True"),
    ("quantity = -10 ", "quantity = nan ", InvalidInput, r"accounts\[0\].groups\[0\].positions\[0\].quantity"),
    ("quantity = -10 ", "quantity = -inf ", InvalidInput, r"positions\[0\].quantity: quantity is -inf"),
    ("quantity = -10 ", 'quantity = "NaN" ', InvalidInput, r"positions\[0\]: quantity"),
    ("quantity = -10 ", 'quantity = "ten" ', InvalidInput, r"positions\[0\]: quantity is 'ten'"),
    ("quantity = -10 ", "quantity = 2e15 ", InvalidInput, r"at most 1e\+15"),
    ("quantity = -10 ", 'quantity = "1e999999" ', InvalidInput, r"at most 1e\+15"),
    (", quantity = -10 ", " ", InvalidInput, r"positions\[0\]: field quantity is 'missing'"),
    ('amount = "250000"', "amount = inf", InvalidInput, r"accounts\[0\].collateral\[1\].amount: amount is inf"),
    ("entry_price = 79000.0", "entry_price = -1.0", InvalidInput, r"positions\[2\]: price is -1.0, .* above zero"),
    ("entry_price = 79000.0", "entry_price = nan", InvalidInput, r"positions\[2\].entry_price"),
    ("entry_price = 79000.0", 'entry_price = "79000"', InvalidInput, "entry_price is '79000', but must be a finite"),
    ("BTC-26JUN26-80000-C", "BTC-26JUN25-80000-C", ExpiredInstrument, "BTC-26JUN25-80000-C"),
    ("BTC-26JUN26-80000-C", "BTC-26JUN26-0-C", InvalidInput, "strike is 0.0, but must be above zero"),
    ("BTC-26JUN26-80000-C", "BTC-26JUN26--80000-C", InvalidInput, r"positions\[0\]: instrument"),
    ("BTC-26JUN26-80000-C.DERIBIT", "BTC-31JUN26-80000-C.DERIBIT", InvalidInput, "expiry is '31JUN26'"),
    ("BTC-26JUN26-80000-C.DERIBIT", "DOGE-26JUN26-1-C.DERIBIT", UnknownName, r"positions\[0\]: product of DOGE"),
    ("BTC-26JUN26-80000-C.DERIBIT", "GOLD", InvalidInput, "instrument is 'GOLD'"),
    ('id = "trader"', 'id = "desk"', DuplicateName, r"account is 'desk', .*first seen at"),
    ('id = "main"', 'id = "isolated"', DuplicateName, "group is 'isolated'"),
    ("BTC-24APR26-70000-P", "BTC-26JUN26-80000-C", DuplicateName, "BTC-26JUN26-80000-C"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31T15:31:00Z", MixedValuationTime, "the market's"),
    ('id = "trader"', 'id = "trader"\nas_of = 2026-03-30T15:30:00Z', MixedValuationTime, r"accounts\[1\].as_of"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31T15:30:00", InvalidInput, "with a zone"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = 2026-03-31", InvalidInput, "with a zone"),
    ("as_of = 2026-03-31T15:30:00Z", "as_of = ", UnreadableFile, "line 2"),
    ('mode = "portfolio"', 'mode = "gross"', InvalidInput, r"mode is 'gross', but must be one of: .*isolated"),
    ("eip155:42161", "arbitrum one", InvalidInput, "CAIP-2"),
]


@pytest.mark.parametrize(("old", "new", "error", "words"), BAD_BOOKS)
def test_bad_book_is_refused(small: Path, tmp_path: Path, old: str, new: str, error: type, words: str):
    market = read_market(small / "small-market.toml")
    path = edited(small / "small-book.toml", tmp_path, old, new)
    with pytest.raises(error, match=words) as caught:
        read_book(path, market=market)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


BAD_MARKETS = [
    ("spot = 80000.0", "spot = -80000.0", InvalidInput, "BTC: price is -80000.0, but must be above zero"),
    ("spot = 80000.0", "spot = 0.0", InvalidInput, "BTC: price is 0.0"),
    ("spot = 80000.0", "spot = nan", InvalidInput, r"underlyings\[0\].spot: spot is nan"),
    ("forward = 80200.0", "forward = inf", InvalidInput, r"underlyings\[0\].forwards\[0\].forward"),
    ("forward = 80200.0", "forward = -80200.0", InvalidInput, "but must be above zero"),
    ("price = 80010.0", "price = -1.0", InvalidInput, "BTC-PERPETUAL.DERIBIT: price is -1.0"),
    ("a = 0.008, b = 0.06", "a = -0.1, b = 0.06", InvalidInput, "lowest total variance"),
    ("a = 0.030, b = 0.12", "a = 0.001, b = 0.01", SurfaceArbitrage, "the later option costs less"),
    ("b = 0.12, rho = -0.2", "b = 0.12, rho = -2.0", InvalidInput, "rho is -2.0"),
    ('reference = "ETH"', 'reference = "DOGE"', MissingFactors, "underlying DOGE"),
    ('quote = "USD"', 'quote = "CHF"', MissingFactors, "asset CHF"),
    ('name = "ETH"\nkind', 'name = "BTC"\nkind', DuplicateName, "underlying is 'BTC'"),
    ('name = "USDT"', 'name = "USDC"', DuplicateName, "asset is 'USDC'"),
    ("expiry = 2026-04-24T08:00:00Z", "expiry = 2026-03-24T08:00:00Z", ExpiredInstrument, "2026-03-24"),
    ("[1.0, 0.85, 0.1]", "[1.0, 1.85, 0.1]", InvalidInput, "correlation is 1.85"),
    ("daily_vol = 0.025", "daily_vol = -0.025", InvalidInput, "daily volatility is -0.025"),
    ("daily_vol = 0.025", "vol = 0.025", UnknownName, r"underlyings\[0\].liquidity: field is 'vol'"),
    ("ratio = 0.999", "ratio = 0.0", InvalidInput, "USDT: market ratio is 0.0"),
]


@pytest.mark.parametrize(("old", "new", "error", "words"), BAD_MARKETS)
def test_bad_market_is_refused(small: Path, tmp_path: Path, old: str, new: str, error: type, words: str):
    path = edited(small / "small-market.toml", tmp_path, old, new)
    with pytest.raises(error, match=words) as caught:
        read_market(path)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}")


def test_all_missing_references_are_named_at_once(small: Path, tmp_path: Path):
    text = (small / "small-market.toml").read_text()
    path = tmp_path / "market.toml"
    path.write_text(text.replace('reference = "ETH"', 'reference = "DOGE"').replace('quote = "USD"', 'quote = "CHF"'))
    with pytest.raises(MissingFactors) as caught:
        read_market(path)
    assert caught.value.factors == ("asset CHF", "underlying DOGE")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("book.toml", "accounts = []\nas_of = }", "line 2"),
        ("book.toml", "name = 1\nname = 2\naccounts = []", "TOML does not allow this"),
        ("book.json", '{"accounts": [', "line 1 column 15"),
        ("book.json", '{"accounts": [], "accounts": []}', "'accounts' stands twice"),
        ("book.json", "", "JSON does not allow this"),
        ("book.json", "[" * 100_000, "nested too deeply"),
        ("book.json", '{"accounts": ' + "9" * 5_000 + "}", "JSON does not allow this"),
        ("book.txt", "", "does not end in"),
        ("book", "", "does not end in"),
    ],
)
def test_what_is_no_document_is_unreadable(small: Path, tmp_path: Path, name: str, text: str, words: str):
    market = read_market(small / "small-market.toml")
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableFile, match=words):
        read_book(tmp_path / name, market=market)


def test_bytes_that_are_no_text_are_unreadable(tmp_path: Path):
    (tmp_path / "market.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFile, match="utf-8"):
        read_market(tmp_path / "market.toml")


def test_absent_file_and_folder_are_unreadable(tmp_path: Path):
    with pytest.raises(UnreadableFile, match="no such file"):
        read_market(tmp_path / "market.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UnreadableFile, match="is a directory"):
        read_stress(tmp_path / "folder.toml")


def test_json_and_toml_say_the_same(small: Path, tmp_path: Path):
    tree = tomllib.loads((small / "small-book.toml").read_text())
    path = tmp_path / "book.json"
    path.write_text(json.dumps(tree, default=lambda moment: moment.isoformat()))
    market = read_market(small / "small-market.toml")
    assert read_book(path, market=market).hash() == read_book(small / "small-book.toml", market=market).hash()


def test_definitions_of_an_extra_file_join_those_of_the_book(small: Path, tmp_path: Path):
    market = read_market(small / "small-market.toml")
    book = edited(small / "small-book.toml", tmp_path, "BTC-26JUN26-80000-C.DERIBIT", "BTC-OTC.DESK")
    with pytest.raises(InvalidInput, match="BTC-OTC"):
        read_book(book, market=market)
    extra = tmp_path / "instruments.toml"
    extra.write_text(
        '[[instruments]]\nfamily = "perpetual"\nid = "BTC-OTC.DESK"\nunderlying = "BTC"\npayout = "linear"\n'
        'settle = "USDC"\n'
    )
    assert "BTC-OTC.DESK" in read_book(book, market=market, instruments=extra).table.ids


def test_models(small: Path, tmp_path: Path):
    assert "crossmargin-grid" in builtin_models()
    assert all(read_model(name).name == name for name in builtin_models())
    with pytest.raises(UnknownName, match=r"must be one of: .*crossmargin-grid"):
        read_model("crossmargin-gird")
    text = document_text(read_model("crossmargin-grid"), syntax="toml")
    own = tmp_path / "own.toml"
    own.write_text(text.replace("price_range = 0.16", 'price_range = "wide"'))
    with pytest.raises(InvalidInput, match=r"grid\.classes\.crypto_major\.price_range: price_range is 'wide'"):
        read_model(own)
    own.write_text(text)
    assert read_model(own) == read_model("crossmargin-grid")


@pytest.mark.parametrize("syntax", ["toml", "json"])
def test_written_documents_read_back_the_same(small: Path, syntax: str):
    for name, kind in [("small-market.toml", MarketDocument), ("small-book.toml", BookDocument)]:
        document = decode((small / name).read_bytes(), kind, syntax="toml", where=name)
        text = document_text(document, syntax=syntax, heading="what it is\nand how it was made")
        assert decode(text.encode(), kind, syntax=syntax, where=name) == document


class Anything(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document of every shape that the writer knows."""

    text: str = ""
    numbers: tuple[float, ...] = ()
    tables: tuple["Anything", ...] = ()
    named: dict[str, "Anything"] = {}
    figures: dict[str, float] = {}
    flag: bool = False
    absent: int | None = None


documents = st.recursive(
    st.builds(
        Anything,
        text=st.text(),
        numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple),
        figures=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
        flag=st.booleans(),
        absent=st.none() | st.integers(-(2**53), 2**53),
    ),
    lambda inner: st.builds(
        Anything,
        text=st.text(),
        tables=st.lists(inner, max_size=3).map(tuple),
        named=st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(documents)
def test_any_document_reads_back_the_same(document: Anything):
    for syntax in ("toml", "json"):
        text = document_text(document, syntax=syntax)
        assert decode(text.encode(), Anything, syntax=syntax, where="x") == document


FIELDS = ("accounts", "id", "groups", "mode", "positions", "quantity", "instruments", "family", "as_of")
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_any_json_is_a_book_or_a_typed_error(tree: object):
    with contextlib.suppress(CrossmarginError):
        decode(json.dumps(tree).encode(), BookDocument, syntax="json", where="book.json")


def test_a_key_of_a_mapping_is_named(tmp_path: Path):
    text = document_text(read_model("crossmargin-grid"), syntax="json")
    tree = json.loads(text)
    tree["collateral"]["haircuts"]["WBTC"][1]["hair"] = 1
    with pytest.raises(UnknownName, match=r"collateral\.haircuts\.WBTC\[1\]: field is 'hair'.*haircut, value_cap"):
        decode(json.dumps(tree).encode(), ModelDocument, syntax="json", where="model.json")
