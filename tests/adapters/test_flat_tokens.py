"""Tokens on chains in flat books: the book and the margin of the document that says the same, and back again."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters.files import Definitions, read_book, read_market, read_model
from crossmargin.adapters.flat_writing import flat_table, write_book
from crossmargin.adapters.writing import write_document
from crossmargin.core.errors import CrossmarginError, DuplicateName, InvalidInput, UnknownName
from crossmargin.core.finality import LEVEL_NAMES, TRUST_NAMES
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.variants import account_alone
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from tests.adapters.test_files_flat import held

DEMO = Path(str(resources.files("crossmargin.cli").joinpath("demo")))
MARKET = read_market(DEMO / "market.toml")
assert MARKET.chains is not None
ASSETS = MARKET.chains.assets
USDC = "eip155:42161/erc20:0xaf88d065e77c8cc2239327c5edb3a432268e5831"
WSTETH = "eip155:42161/erc20:0x5979d7b546e38e414f7e9822514be443a4800529"
IDS = ("BTC-PERPETUAL.DERIBIT", "ETH-PERPETUAL.DERIBIT", "BTC_USDC-PERPETUAL.DERIBIT")
amounts = st.floats(-1e7, 1e7, allow_nan=False)
prices = st.none() | st.floats(1e-9, 1e9)


@st.composite
def tokens(draw: st.DrawFn) -> Holding:
    """A holding that names its instance, with as much said beside it as a book may say."""
    instance = draw(st.sampled_from(sorted(ASSETS)))
    return Holding(
        amount=draw(amounts),
        asset=draw(st.sampled_from(["", ASSETS[instance]])),
        chain=draw(st.sampled_from(["", instance.partition("/")[0]])),
        instance=draw(st.sampled_from([instance, instance.replace("0xa", "0xA")])),
        level=draw(st.sampled_from(list(LEVEL_NAMES.values()))),
        trust=draw(st.sampled_from(list(TRUST_NAMES.values()))),
    )


coins = st.builds(Holding, amount=amounts, asset=st.just("USDC"), chain=st.sampled_from(["", "eip155:1"]))


def what(holding: Holding) -> tuple[str, ...]:
    place = holding.instance.lower() or f"{holding.asset} {holding.chain}"
    return place, holding.level, holding.trust


holdings = st.lists(tokens() | coins, max_size=5, unique_by=what).map(tuple)


@st.composite
def groups(draw: st.DrawFn, name: str) -> Group:
    lines = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True))
    return Group(
        id=name,
        mode=draw(st.sampled_from(["isolated", "cross", "portfolio"])),
        positions=tuple(Position(instrument=i, quantity=draw(amounts), entry_price=draw(prices)) for i in lines),
        orders=draw(st.just(()) | st.builds(Order, instrument=st.just(IDS[0]), quantity=amounts).map(lambda o: (o,))),
        collateral=draw(st.just(()) | holdings),
    )


@st.composite
def documents(draw: st.DrawFn) -> BookDocument:
    accounts = []
    for name in draw(st.lists(st.sampled_from(["a", "b é", "a/b"]), min_size=1, max_size=3, unique=True)):
        names = draw(st.lists(st.sampled_from(["main", "x", "y/z"]), min_size=1, max_size=2, unique=True))
        shared = draw(holdings)
        accounts.append(Account(id=name, groups=tuple(draw(groups(g)) for g in names), collateral=shared))
    return BookDocument(accounts=tuple(accounts))


def of_document(document: BookDocument) -> Book:
    return build_book(document, now_ns=MARKET.time_ns, instances=ASSETS)


@settings(max_examples=40, deadline=None)
@given(documents(), st.sampled_from(["csv", "parquet", "arrow"]))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, document: BookDocument, kind: str):
    book = of_document(document)
    if kind == "arrow":
        assert read_book(flat_table(book), market=MARKET).hash() == book.hash()
        return
    path = tmp_path_factory.mktemp("flat") / f"book.{kind}"
    write_book(path, book)
    assert read_book(path, market=MARKET).hash() == book.hash()


@settings(max_examples=10, deadline=None)
@given(documents())
def test_flat_and_document_give_the_same_margin(tmp_path_factory: pytest.TempPathFactory, document: BookDocument):
    folder, model = tmp_path_factory.mktemp("both"), read_model()
    write_document(folder / "book.toml", document)
    write_book(folder / "book.csv", of_document(document))
    results = [margin(read_book(folder / f"book.{kind}", market=MARKET), MARKET, model) for kind in ("toml", "csv")]
    assert all(isinstance(result, MarginResult) for result in results)
    for part in ("pools", "holdings"):
        first, second = (getattr(result, part) for result in results)
        for name in type(first).__dataclass_fields__:
            assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True), name


HEADER = "account,instrument,quantity,kind,chain,instance,level,trust\n"
GOOD = f"a,,5,collateral,,{USDC},,\n"
BAD = [
    ("a,,5,,,,,", InvalidInput, "instrument is 'missing'"),
    ("a,,5,collateral,,,,", InvalidInput, "instrument is 'missing'"),
    (f"a,BTC-PERPETUAL.DERIBIT,5,,,{USDC},,", InvalidInput, "must be empty: only collateral has one"),
    (f"a,,5,order,,{USDC},,", InvalidInput, "must be empty: only collateral has one"),
    ("a,BTC-PERPETUAL.DERIBIT,5,,,,final,", InvalidInput, "level is 'final', but must be empty"),
    ("a,BTC-PERPETUAL.DERIBIT,5,,,,,L3", InvalidInput, "trust is 'L3', but must be empty"),
    ("a,USDC,5,collateral,,,safe,", InvalidInput, "level or trust is .*for collateral that names its instance"),
    (f"a,,5,collateral,,{WSTETH},sure,", UnknownName, "level is 'sure'"),
    (f"a,,5,collateral,,{WSTETH},,L9", UnknownName, "trust is 'L9'"),
    ("a,,5,collateral,,eip155:1/0xab,,", InvalidInput, "a CAIP-19 asset type"),
    ("a,,5,collateral,,eip155:10/slip44:60,,", UnknownName, "asset instance is 'eip155:10/slip44:60'"),
    (f"a,USDC,5,collateral,,{WSTETH},,", InvalidInput, "asset is 'USDC'"),
    (f"a,,5,collateral,eip155:1,{WSTETH},,", InvalidInput, "chain is 'eip155:1'"),
    (f"a,USDC,7,collateral,,{USDC.replace('0xaf', '0xAF')},final,L2", DuplicateName, "first seen at line 2"),
]


@pytest.mark.parametrize(("line", "error", "words"), BAD)
def test_a_bad_row_is_named(tmp_path: Path, line: str, error: type[CrossmarginError], words: str):
    path = tmp_path / "book.csv"
    path.write_text(HEADER + GOOD + line + "\n" + f"z,,1,collateral,,{USDC},,\n")
    with pytest.raises(error, match=words) as caught:
        read_book(path, market=MARKET)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}: line 3: ")


def test_without_chains_in_the_market_no_instance_is_known(tmp_path: Path):
    path = tmp_path / "book.csv"
    path.write_text(HEADER + GOOD)
    with pytest.raises(UnknownName, match="add it to the registry"):
        read_book(path, market=replace(MARKET, chains=None))


REFUSED = [
    (Account(id="a", pool="single", collateral=(Holding(amount=1.0, asset="BTC"),)), "pool is 'a/BTC'"),
    (Account(id="empty"), "account is 'empty'"),
    (Account(id="", collateral=(Holding(amount=1.0, asset="BTC"),)), "account is ''"),
    (Account(id="a", groups=(Group(id="g", mode="cross"),), collateral=(Holding(amount=1.0, asset="BTC"),)), "a/g"),
    (
        Account(id="a", groups=(Group(id="", mode="cross", positions=(Position(instrument=IDS[0], quantity=1.0),)),)),
        "a/",
    ),
]


@pytest.mark.parametrize(("account", "words"), REFUSED)
def test_what_rows_cannot_say_is_refused(account: Account, words: str):
    with pytest.raises(InvalidInput, match=words):
        flat_table(of_document(BookDocument(accounts=(account,))))


def test_the_demonstration_is_the_same_from_rows(tmp_path: Path):
    desk = account_alone(read_book(DEMO / "book.toml", market=MARKET), "desk")
    own = tmp_path / "own.toml"
    write_book(tmp_path / "book.parquet", desk)
    write_document(own, Definitions(instruments=desk.defined, products=desk.products))
    again = read_book(tmp_path / "book.parquet", market=MARKET, instruments=own)
    assert held(again) == held(desk)
    first, second = (margin(book, MARKET, read_model()).pools.initial for book in (desk, again))
    assert np.allclose(first, second, rtol=1e-12)
