"""Flat books: the same book as the document that says the same, and every bad row named."""

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.adapters import tables
from crossmargin.adapters.files import read_book, read_market
from crossmargin.adapters.flat import OPTIONAL, REQUIRED, read_flat_book
from crossmargin.core.errors import (
    CrossmarginError,
    DuplicateName,
    InvalidInput,
    MixedValuationTime,
    UnknownName,
    UnreadableFile,
)
from crossmargin.core.instant import parse_instant
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from tests.adapters.bad_inputs import BAD_LINES, GOOD, HEADER

NOW = parse_instant("2026-03-31T15:30:00Z", where="test")
COLUMNS = (*REQUIRED, *OPTIONAL)
IDS = [
    f"{coin}-26JUN26-{strike}-{right}.DERIBIT" for coin in ("BTC", "ETH") for strike in (1000, 2500) for right in "CP"
]
IDS += ["BTC-PERPETUAL.DERIBIT", "ETH-24APR26.DERIBIT", "BTC_USDC-PERPETUAL.DERIBIT"]
quantities = st.floats(-1e15, 1e15, allow_nan=False) | st.decimals(-1000, 1000, places=8).map(str)
prices = st.none() | st.floats(1e-9, 1e9)


@pytest.fixture(scope="session")
def market(repository: Path) -> Snapshot:
    return read_market(repository / "examples/small-market.toml")


@st.composite
def holdings(draw: st.DrawFn) -> tuple[Holding, ...]:
    kinds = st.tuples(st.sampled_from(["BTC", "USDC", "EUR"]), st.sampled_from(["", "eip155:1", "eip155:10"]))
    chosen = draw(st.lists(kinds, max_size=4, unique=True))
    return tuple(Holding(asset=asset, chain=chain, amount=draw(quantities)) for asset, chain in chosen)


@st.composite
def groups(draw: st.DrawFn, name: str) -> Group:
    """A group that has at least one row in a flat book."""
    held = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=5, unique=True))
    ordered = draw(st.lists(st.sampled_from(IDS), max_size=3))
    return Group(
        id=name,
        mode=draw(st.sampled_from(["isolated", "cross", "portfolio"])),
        positions=tuple(Position(instrument=i, quantity=draw(quantities), entry_price=draw(prices)) for i in held),
        orders=tuple(Order(instrument=i, quantity=draw(quantities), price=draw(prices)) for i in ordered),
        collateral=draw(st.just(()) | holdings()),
    )


@st.composite
def books(draw: st.DrawFn) -> BookDocument:
    """Books that a flat table can say: one pool an account, and no account or group without a row."""
    accounts = []
    for name in draw(st.lists(st.text("abcX1é -", min_size=1, max_size=4), max_size=4, unique=True)):
        names = draw(st.lists(st.sampled_from(["main", "a", "b"]), min_size=1, max_size=3, unique=True))
        accounts.append(
            Account(id=name, groups=tuple(draw(groups(g)) for g in names), collateral=draw(st.just(()) | holdings()))
        )
    return BookDocument(accounts=tuple(accounts), as_of="2026-03-31T15:30:00Z")


def flat_rows(document: BookDocument) -> Iterator[dict[str, object]]:
    for account in document.accounts:
        for holding in account.collateral:
            yield collateral_row(account, holding)
        for group in account.groups:
            own = {"account": account.id, "group": group.id, "mode": group.mode}
            for p in group.positions:
                yield own | {"instrument": p.instrument, "quantity": str(p.quantity), "price": p.entry_price}
            for o in group.orders:
                row = {"kind": "order", "instrument": o.instrument, "quantity": str(o.quantity), "price": o.price}
                yield own | row
            for holding in group.collateral:
                yield own | collateral_row(account, holding)


def collateral_row(account: Account, holding: Holding) -> dict[str, object]:
    row = {"account": account.id, "kind": "collateral", "instrument": holding.asset}
    return row | {"quantity": str(holding.amount), "chain": holding.chain or None}


def flat_frame(document: BookDocument) -> pl.DataFrame:
    schema = {column: pl.Float64 if column == "price" else pl.String for column in COLUMNS}
    rows = [{column: row.get(column) for column in COLUMNS} for row in flat_rows(document)]
    return pl.DataFrame(rows, schema=schema).with_columns(as_of=pl.lit("2026-03-31T15:30:00Z"))


@settings(max_examples=50)
@given(books(), st.integers(1, 400), st.integers(1, 5))
def test_flat_book_is_the_book_of_its_document(document: BookDocument, block_bytes: int, piece_rows: int):
    expected = build_book(document, now_ns=NOW).hash()
    frame = flat_frame(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "BLOCK_BYTES", block_bytes)
        patch.setattr(tables, "PIECE_ROWS", piece_rows)
        assert read_flat_book(frame, now_ns=NOW).hash() == expected


@settings(max_examples=50)
@given(books(), st.integers(1, 400), st.sampled_from(["csv", "parquet"]), st.sampled_from(["\n", "\r\n"]))
def test_files_hold_the_same_book(tmp_path_factory, document: BookDocument, size: int, kind: str, line_end: str):
    expected = build_book(document, now_ns=NOW).hash()
    path = tmp_path_factory.mktemp("flat") / f"book.{kind}"
    frame = flat_frame(document)
    if kind == "csv":
        frame.write_csv(path, line_terminator=line_end)
    else:
        frame.write_parquet(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "BLOCK_BYTES", size)
        patch.setattr(tables, "PIECE_ROWS", size)
        assert read_flat_book(path, now_ns=NOW).hash() == expected


@settings(max_examples=50)
@given(books(), st.randoms(use_true_random=False))
def test_order_of_rows_within_an_account_changes_only_the_order_of_groups(document: BookDocument, random):
    """Sorted by account and first row of each group, any order of rows is the same book."""
    rows = list(flat_rows(document))
    shuffled = rows.copy()
    random.shuffle(shuffled)
    books = []
    for table in (rows, shuffled):
        frame = pl.DataFrame([{c: r.get(c) for c in COLUMNS} for r in table], schema=flat_frame(document).schema)
        books.append(read_flat_book(frame, now_ns=NOW))
    assert sorted(books[0].accounts) == sorted(books[1].accounts)
    assert held(books[0]) == held(books[1])


def held(book) -> set[tuple[object, ...]]:
    """Everything in a book by name, without its order (orders of one size may repeat)."""
    found = set()
    for kind, lines, owners in [
        ("position", book.positions, book.groups),
        ("order", book.orders, book.groups),
        ("holding", book.holdings, book.pools),
    ]:
        for owner, instrument, quantity, price in zip(
            lines.owner, lines.instrument, lines.quantity, lines.price, strict=True
        ):
            found.add((kind, owners[owner], book.table.ids[instrument], quantity, str(price)))
    pools = [book.pools[p] for p in book.group_pool]
    return found | set(zip(book.groups, pools, book.group_mode.tolist(), strict=True))


def test_small_csv_is_the_small_document(repository: Path, market: Snapshot):
    flat, document = (read_book(repository / f"examples/small-book.{kind}", market=market) for kind in ("csv", "toml"))
    assert flat.hash() == document.hash()
    assert (flat.pools, flat.groups) == (document.pools, document.groups)


class Stream:
    """Nothing but the Arrow PyCapsule interface."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


FRAME = pl.DataFrame({"account": ["a", "b"], "instrument": IDS[:2], "quantity": [1.5, -2.0]})


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.cast({"account": pl.Categorical, "instrument": pl.Categorical}),
        FRAME.cast({"quantity": pl.Float32}),
        FRAME.cast({"quantity": pl.Decimal(20, 8)}),
        FRAME.cast({"quantity": pl.String}),
        FRAME.with_columns(kind=pl.lit(None), price=pl.lit(None), group=pl.lit(""), mode=pl.lit("", dtype=pl.String)),
        FRAME.with_columns(as_of=pl.lit(NOW).cast(pl.Datetime("ns", "UTC"))),
        FRAME.with_columns(as_of=pl.lit(NOW).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("Asia/Tokyo")),
        FRAME.with_columns(as_of=pl.lit(NOW // 1_000_000)),
        FRAME.with_columns(as_of=pl.lit(str(NOW // 1_000_000))),
    ],
)
def test_any_arrow_type_will_do(frame: pl.DataFrame):
    expected = read_flat_book(FRAME, now_ns=NOW)
    assert read_flat_book(Stream(frame), now_ns=NOW).hash() == expected.hash()


def test_integers_name_accounts():
    frame = FRAME.with_columns(account=pl.Series([17, 4]))
    assert read_flat_book(frame, now_ns=NOW).accounts == ("17", "4")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"account": [1.5, 2.5]}, "type of column account is 'Float64', but must be text"),
        ({"instrument": [1, 2]}, "type of column instrument is 'Int64', but must be text"),
        ({"quantity": [True, False]}, "type of column quantity is 'Boolean'"),
        ({"as_of": pl.Series([NOW, NOW]).cast(pl.Datetime("ns"))}, "with a zone"),
    ],
)
def test_column_of_the_wrong_type_is_refused(column: dict[str, object], words: str):
    with pytest.raises(InvalidInput, match=words):
        read_flat_book(FRAME.with_columns(**{k: pl.Series(v) for k, v in column.items()}), now_ns=NOW)


@pytest.mark.parametrize(("line", "error", "words"), BAD_LINES)
def test_bad_line_is_named(tmp_path: Path, market: Snapshot, line: str, error: type, words: str):
    path = tmp_path / "book.csv"
    path.write_text(HEADER + GOOD + line + "\nz,ETH-PERPETUAL.DERIBIT,1,,,,,,\n")
    number = 3 + line.count("\n")
    with pytest.raises(error, match=words) as caught:
        read_book(path, market=market)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}: line {number}: ")
    assert "\n" not in str(caught.value)


def test_two_valuation_times_are_refused_with_both_lines(tmp_path: Path, market: Snapshot):
    path = tmp_path / "book.csv"
    rows = "a,BTC-PERPETUAL.DERIBIT,1,{}\nb,BTC-PERPETUAL.DERIBIT,1,{}\n"
    path.write_text("account,instrument,quantity,as_of\n" + rows.format("2026-03-31T15:30:00Z", "2026-03-31T15:30:01Z"))
    with pytest.raises(MixedValuationTime, match=r"line 3: .*15:30:01Z.*2026-03-31T15:30:00Z at line 2"):
        read_book(path, market=market)


@pytest.mark.parametrize(
    ("header", "error", "words"),
    [
        ("account,instrument,quantity,colour", UnknownName, "column is 'colour'"),
        ("account;instrument;quantity", UnknownName, "column is 'account;instrument;quantity'"),
        ("account,quantity", InvalidInput, "Add instrument"),
        ("account,instrument,quantity,quantity", DuplicateName, "column is 'quantity'"),
        ("", InvalidInput, "Add account, instrument, quantity"),
        ('"account', UnreadableFile, "no CSV header"),
    ],
)
def test_bad_header_is_refused(tmp_path: Path, market: Snapshot, header: str, error: type, words: str):
    path = tmp_path / "book.csv"
    path.write_text(header + "\n")
    with pytest.raises(error, match=words):
        read_book(path, market=market)


def test_line_that_is_no_text_is_named(tmp_path: Path, market: Snapshot):
    path = tmp_path / "book.csv"
    path.write_bytes((HEADER + GOOD).encode() + b"b\xff,BTC-PERPETUAL.DERIBIT,1,,,,,,\n")
    with pytest.raises(InvalidInput, match="line 3: the number of fields is 'no UTF-8'"):
        read_book(path, market=market)


@pytest.mark.parametrize("ends", ["", "\n", "\n\n", "\r\n\r\n", "\n" * 50])
def test_blank_end_of_a_file_is_no_line(tmp_path: Path, market: Snapshot, ends: str, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 7)
    path = tmp_path / "book.csv"
    path.write_text(HEADER + GOOD.rstrip("\n") + ends, newline="")
    assert len(read_book(path, market=market).positions) == 1


def test_byte_order_mark_is_no_part_of_the_header(tmp_path: Path, market: Snapshot):
    path = tmp_path / "book.csv"
    path.write_text("\ufeff" + HEADER + GOOD)
    assert read_book(path, market=market).accounts == ("a",)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_truncated_parquet_is_unreadable(tmp_path: Path, market: Snapshot, kept: float):
    whole = io.BytesIO()
    pl.concat([FRAME.with_columns(account=pl.lit(f"a{i}")) for i in range(2_000)]).write_parquet(whole)
    path = tmp_path / "book.parquet"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * kept)])
    with pytest.raises(UnreadableFile, match="truncated, or no Parquet"):
        read_book(path, market=market)


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=40))
def test_damaged_parquet_is_a_book_or_a_typed_error(tmp_path_factory, at: int, damage: bytes):
    whole = io.BytesIO()
    FRAME.write_parquet(whole)
    raw = bytearray(whole.getvalue())
    at %= len(raw)
    raw[at : at + len(damage)] = damage
    path = tmp_path_factory.mktemp("damaged") / "book.parquet"
    path.write_bytes(raw)
    try:
        read_flat_book(path, now_ns=NOW)
    except CrossmarginError:
        return


def test_absent_tables_are_unreadable(tmp_path: Path, market: Snapshot):
    (tmp_path / "folder.csv").mkdir()
    for name, words in [("book.csv", "no such file"), ("book.parquet", "(?i)no such file"), ("folder.csv", "is a dir")]:
        with pytest.raises(UnreadableFile, match=words):
            read_book(tmp_path / name, market=market)


def test_definitions_beside_a_flat_book(tmp_path: Path, market: Snapshot):
    book, own = tmp_path / "book.csv", tmp_path / "own.toml"
    book.write_text("account,instrument,quantity\na,BTC-OTC.DESK,1\na,SOL-PERPETUAL.DESK,2\n")
    own.write_text(
        '[[instruments]]\nfamily = "perpetual"\nid = "BTC-OTC.DESK"\nunderlying = "BTC"\npayout = "linear"\n'
        'settle = "USDC"\n\n[[products]]\nvenue = "DESK"\nprefix = "SOL"\nfamily = "perpetual"\nunderlying = "SOL"\n'
        'payout = "linear"\nsettle = "USDC"\nmultiplier = 1.0\n'
    )
    with pytest.raises(InvalidInput, match="line 2: instrument is 'BTC-OTC"):
        read_book(book, market=market)
    assert read_book(book, market=market, instruments=own).table.ids == ("BTC-OTC.DESK", "SOL-PERPETUAL.DESK")
