"""Books: who holds what ends in the same columns however a file lists it, and nonsense is refused by its place."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import DuplicateName, ExpiredInstrument, InvalidInput, MixedValuationTime, UnknownName
from crossmargin.instruments.terms import Perpetual, Spot
from crossmargin.portfolio.book import Book, Mode, bucket_names, bucket_of, part, retable
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Order, Position
from tests.strategies import AS_OF_MS

NOW_NS = AS_OF_MS * 1_000_000
INVERSE, LINEAR = "BTC-PERPETUAL.DERIBIT", "BTC_USDC-PERPETUAL.DERIBIT"
NEAR, FAR, OTHER = "BTC-26JUN26.DERIBIT", "BTC-25DEC26-90000-P.DERIBIT", "ETH-26JUN26-3000-C.DERIBIT"
NAMES = (INVERSE, LINEAR, NEAR, FAR, OTHER)


def position(name: str, quantity: float | str = 1.0, price: float | None = None) -> Position:
    return Position(instrument=name, quantity=quantity, entry_price=price)


def group(*lines: Position | Order, mode: str = "portfolio", name: str = "main", **more: object) -> Group:
    return Group(
        id=name,
        mode=mode,
        positions=tuple(x for x in lines if isinstance(x, Position)),
        orders=tuple(x for x in lines if isinstance(x, Order)),
        **more,
    )


def account(*groups: Group, name: str = "desk", **more: object) -> Account:
    return Account(id=name, groups=groups, **more)


def built(*accounts: Account, **more: object) -> Book:
    return build_book(BookDocument(accounts=accounts, **more), now_ns=NOW_NS)


def lines_of(book: Book, owner: str) -> dict[str, float]:
    """Quantities by instrument of the group (or the pool, for collateral) of that name."""
    lines, names = (book.positions, book.groups) if owner in book.groups else (book.holdings, book.pools)
    mine = lines.of(names.index(owner))
    return {book.table.ids[i]: float(q) for i, q in zip(lines.instrument[mine], lines.quantity[mine], strict=True)}


def held_by(book: Book, pool: str) -> dict[str, float]:
    mine = book.holdings.of(book.pools.index(pool))
    rows = zip(book.holdings.instrument[mine], book.holdings.quantity[mine], strict=True)
    return {book.table.ids[i]: float(q) for i, q in rows}


COLLATERAL = (
    Holding(asset="USDC", amount="1000.5", chain="eip155:1"),
    Holding(asset="USDC", amount=5, chain="eip155:42161"),
    Holding(asset="BTC", amount=-0.25),
)


@given(st.data())
def test_the_order_of_lines_changes_nothing(data: st.DataObject):
    lines = [position(name, i + 1.0) for i, name in enumerate(NAMES)]
    orders = [Order(instrument=INVERSE, quantity=q, price=p) for q, p in ((1, None), (1, 9.0), (-2, 9.0), (1, 8.0))]
    shuffled = [data.draw(st.permutations(x)) for x in (lines, orders, list(COLLATERAL))]
    for pool in ("multi", "single"):
        first = built(account(group(*lines, *orders), collateral=COLLATERAL, pool=pool))
        again = built(account(group(*shuffled[0], *shuffled[1]), collateral=tuple(shuffled[2]), pool=pool))
        assert again.hash() == first.hash()
        assert (again.pools, again.groups) == (first.pools, first.groups)


def test_lines_stand_by_underlying_then_expiry():
    book = built(account(group(*(position(name) for name in NAMES))))
    table = book.table
    bucket = bucket_of(table)[book.positions.instrument]
    assert (np.diff(bucket) >= 0).all()
    names = [table.ids[i] for i in book.positions.instrument if table.underlyings[table.underlying[i]] == "BTC"]
    assert names == [INVERSE, LINEAR, NEAR, FAR]  # what never expires stands first


def test_a_coin_held_shares_the_bucket_of_its_futures():
    book = built(account(group(position(INVERSE), position(LINEAR)), collateral=COLLATERAL))
    names = bucket_names(book.table)
    found = {book.table.ids[i]: names[b] for i, b in enumerate(bucket_of(book.table))}
    assert found[INVERSE] == found[LINEAR] == found["BTC"] == "BTC"
    assert found["USDC.eip155:1"] == found["USDC.eip155:42161"] == "USDC"


def test_modes_live_together_and_own_collateral_serves_its_group_alone():
    book = built(
        account(
            group(position(INVERSE), name="a"),
            group(position(LINEAR), name="b", mode="cross"),
            group(position(NEAR), name="c", mode="isolated", collateral=(Holding(asset="BTC", amount=1),)),
            group(position(FAR), name="d", mode="cross", collateral=(Holding(asset="USDC", amount=2),)),
            group(position(OTHER), name="e", mode="isolated"),
            collateral=COLLATERAL,
        )
    )
    pool_of = {name: book.pools[book.group_pool[i]] for i, name in enumerate(book.groups)}
    assert pool_of == {
        "desk/a": "desk",
        "desk/b": "desk",
        "desk/c": "desk/c",
        "desk/d": "desk/d",
        "desk/e": "desk/e",
    }
    assert held_by(book, "desk") == {"BTC": -0.25, "USDC.eip155:1": 1000.5, "USDC.eip155:42161": 5.0}
    assert held_by(book, "desk/c") == {"BTC": 1.0}
    assert held_by(book, "desk/e") == {}
    assert [Mode(m).name for m in book.group_mode] == ["PORTFOLIO", "CROSS", "ISOLATED", "CROSS", "ISOLATED"]
    assert set(book.group_account) == {0}


def test_single_currency_pools_hold_what_settles_in_them():
    book = built(
        account(
            group(position(INVERSE), position(LINEAR), Order(instrument=OTHER, quantity=1), name="a"),
            group(position(NEAR), name="b"),
            pool="single",
            collateral=COLLATERAL,
        )
    )
    assert set(book.pools) == {"desk/BTC", "desk/USDC", "desk/ETH"}
    assets = {name: book.table.assets[a] for name, a in zip(book.pools, book.pool_asset, strict=True)}
    assert assets == {"desk/BTC": "BTC", "desk/USDC": "USDC", "desk/ETH": "ETH"}
    assert held_by(book, "desk/BTC") == {"BTC": -0.25}
    assert held_by(book, "desk/USDC") == {"USDC.eip155:1": 1000.5, "USDC.eip155:42161": 5.0}
    assert held_by(book, "desk/ETH") == {}
    pool_of = {name: book.pools[book.group_pool[i]] for i, name in enumerate(book.groups)}
    assert pool_of == {
        "desk/a/BTC": "desk/BTC",
        "desk/a/USDC": "desk/USDC",
        "desk/a/ETH": "desk/ETH",
        "desk/b/BTC": "desk/BTC",
    }
    assert lines_of(book, "desk/a/BTC") == {INVERSE: 1.0}
    assert book.orders.of(book.groups.index("desk/a/ETH")) != slice(0, 0)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.floats(-1e6, 1e6)), max_size=5, unique_by=lambda x: x[0]))
def test_nothing_is_lost_and_nothing_added(lines: list[tuple[str, float]]):
    held = tuple(position(name, quantity) for name, quantity in lines)
    for pool in ("multi", "single"):
        book = built(account(group(*held), pool=pool, collateral=COLLATERAL))
        found = {book.table.ids[i]: q for i, q in zip(book.positions.instrument, book.positions.quantity, strict=True)}
        assert found == dict(lines)
        assert book.holdings.quantity.sum() == pytest.approx(1000.5 + 5 - 0.25)


def test_accounts_can_be_taken_apart_and_the_table_widened():
    book = built(
        account(group(position(INVERSE)), name="a", collateral=COLLATERAL),
        account(group(position(LINEAR)), group(position(FAR), name="x", mode="isolated"), name="b"),
        account(name="c"),
    )
    second = part(book, 1, 3)
    assert second.accounts == ("b", "c")
    assert second.pools == ("b", "b/x", "c")
    assert lines_of(second, "b/x") == {FAR: 1.0}
    assert set(second.pool_account) == {0, 1}
    wide = built(account(group(*(position(name) for name in NAMES)), collateral=COLLATERAL)).table
    moved = retable(book, wide)
    for name in book.groups:
        assert lines_of(moved, name) == lines_of(book, name)
    assert held_by(moved, "a") == held_by(book, "a")


def test_an_empty_book_is_a_book():
    assert len(built().positions) == 0
    book = built(account(group()))
    assert (len(book.table), book.groups, book.pools) == (0, ("desk/main",), ("desk",))


def test_what_stands_twice_is_refused():
    cases = [
        ((account(), account()), r"book: accounts\[1\]: account is 'desk'"),
        ((account(group(), group()),), r"accounts\[0\]\.groups\[1\]: group is 'main'"),
        ((account(group(position(INVERSE), position(INVERSE))),), "book: position in desk/main is 'BTC-PERPETUAL"),
        ((account(collateral=(COLLATERAL[2],) * 2),), "book: collateral in desk is 'BTC'"),
        ((account(group(name="b/c"), name="a"), account(group(name="c"), name="a/b")), "group is 'a/b/c'"),
        ((account(group(name="b", mode="isolated"), name="a"), account(name="a/b")), "pool is 'a/b'"),
    ]
    for accounts, said in cases:
        with pytest.raises(DuplicateName, match=said):
            built(*accounts)


def test_orders_in_one_instrument_may_be_many():
    order = Order(instrument=INVERSE, quantity=1.0)
    assert len(built(account(group(order, order))).orders) == 2


def test_an_id_means_one_thing():
    perpetual = Perpetual(id="BTC", underlying="BTC", payout="linear", settle="USDC")
    held = account(group(position("BTC")), collateral=(Holding(asset="BTC", amount=1),))
    with pytest.raises(DuplicateName, match=r"collateral.*id of an instrument and of collateral is 'BTC'"):
        built(held, instruments=(perpetual,))
    same = built(held, instruments=(Spot(id="BTC", asset="BTC"),))
    assert lines_of(same, "desk/main") == held_by(same, "desk") == {"BTC": 1.0}


@pytest.mark.parametrize("first", [True, False])
def test_what_is_held_by_one_is_no_instrument_of_another(first: bool):
    holder, dealer = account(name="h", collateral=(COLLATERAL[2],)), account(group(position("BTC")), name="d")
    with pytest.raises(InvalidInput, match=r"instrument is 'BTC'.*instruments"):
        built(*((holder, dealer) if first else (dealer, holder)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, "many", "1e400", 1e16, ""])
def test_quantities_are_numbers_we_can_hold(bad: float | str):
    for accounts, place in (
        (account(group(position(INVERSE, bad))), r"accounts\[0\]\.groups\[0\]\.positions\[0\]: quantity"),
        (account(group(Order(instrument=INVERSE, quantity=bad))), r"groups\[0\]\.orders\[0\]: quantity"),
        (account(collateral=(Holding(asset="BTC", amount=bad),)), r"accounts\[0\]\.collateral\[0\]: amount"),
    ):
        with pytest.raises(InvalidInput, match=place):
            built(accounts)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_prices_are_positive(bad: float):
    for line in (position(INVERSE, 1, bad), Order(instrument=INVERSE, quantity=1, price=bad)):
        with pytest.raises(InvalidInput, match=r"accounts\[0\].*price"):
            built(account(group(line)))


def test_one_book_speaks_of_one_instant():
    later = AS_OF_MS + 1
    for document, place in (
        (BookDocument(accounts=(), as_of=later), "book: as_of"),
        (BookDocument(accounts=(account(as_of=later),), as_of=AS_OF_MS), r"book: accounts\[0\]\.as_of"),
        (BookDocument(accounts=(account(as_of=AS_OF_MS), account(name="b", as_of=later))), r"accounts\[1\]\.as_of"),
    ):
        with pytest.raises(MixedValuationTime, match=rf"{place}.*the same everywhere.*Split the book"):
            build_book(document, now_ns=NOW_NS)
    stated = BookDocument(accounts=(account(as_of="2026-03-31T15:00:00Z"),), as_of=AS_OF_MS)
    assert build_book(stated, now_ns=NOW_NS).as_of_ns == NOW_NS


def test_what_has_expired_or_is_unknown_is_refused():
    with pytest.raises(ExpiredInstrument, match=r"BTC-27MAR26.*Settle the position"):
        built(account(group(position("BTC-27MAR26.DERIBIT"))))
    with pytest.raises(UnknownName, match=r"positions\[0\]: product of DOGE"):
        built(account(group(position("DOGE-PERPETUAL.DERIBIT"))))
    with pytest.raises(InvalidInput, match=r"collateral\[0\]: chain is 'ethereum'"):
        built(account(collateral=(Holding(asset="USDC", amount=1, chain="ethereum"),)))


def test_the_hash_knows_what_is_held():
    base = account(group(position(INVERSE)), collateral=COLLATERAL)
    changed = [
        account(group(position(INVERSE, 2)), collateral=COLLATERAL),
        account(group(position(INVERSE, 1, 5.0)), collateral=COLLATERAL),
        account(group(position(LINEAR)), collateral=COLLATERAL),
        account(group(position(INVERSE), mode="cross"), collateral=COLLATERAL),
        account(group(position(INVERSE)), collateral=COLLATERAL[:2]),
        account(group(position(INVERSE)), collateral=COLLATERAL, name="b"),
        account(group(position(INVERSE)), collateral=COLLATERAL, pool="single"),
    ]
    hashes = {built(x).hash() for x in (base, *changed)}
    assert len(hashes) == 1 + len(changed)
    unused = Perpetual(id="X", underlying="X", payout="linear", settle="USDC")
    assert built(base, instruments=(unused,)).hash() == built(base).hash()


def test_documents_refuse_unknown_fields_and_wrong_types():
    for raw in ({"accounts": [{"id": "a", "margin": 1}]}, {"accounts": [{"id": 1}]}, {"acounts": []}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(raw, BookDocument)
