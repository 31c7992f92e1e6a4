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
    InvalidInput,
    MissingFactors,
    UnknownName,
    UnreadableFile,
)
from crossmargin.engine.model import ModelDocument
from crossmargin.market.document import MarketDocument
from crossmargin.portfolio.document import BookDocument
from tests.adapters.bad_inputs import BAD_BOOKS, BAD_MARKETS, edited


@pytest.fixture
def small(repository: Path) -> Path:
    return repository / "examples"


@pytest.mark.parametrize(("old", "new", "error", "words"), BAD_BOOKS)
def test_bad_book_is_refused(small: Path, tmp_path: Path, old: str, new: str, error: type, words: str):
    market = read_market(small / "small-market.toml")
    path = edited(small / "small-book.toml", tmp_path, old, new)
    with pytest.raises(error, match=words) as caught:
        read_book(path, market=market)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


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
