"""A comparison: whole accounts, their parts alone, the cheapest venues, and the pieces where they are held."""

import itertools
import math
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.core.arrays import frozen
from crossmargin.core.errors import UnknownName
from crossmargin.engine.compare import PARTS_MOST, CompareReport, compare
from crossmargin.engine.comparing import cheapest as cheapest_module
from crossmargin.engine.comparing.parts import GRAINS, book_of, finest_grain, own_margins, part_of, parts_by, whole
from crossmargin.engine.comparing.split import default_venues
from crossmargin.engine.margin import margin
from crossmargin.engine.plan import plan
from crossmargin.engine.variants import account_alone
from crossmargin.margin.rulebooks.registry import rulebooks
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position
from tests.margin.books import MarginCase, margin_cases, small_model

MODEL = read_model_document()
CHAIN = "eip155:957"  # Derive's own


@cache
def demo() -> tuple[Book, Snapshot]:
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as folder:
        market = read_market(Path(folder) / "market.toml")
        return read_book(Path(folder) / "book.toml", market=market), market


@cache
def demo_report() -> CompareReport:
    book, market = demo()
    return compare(book, market, MODEL, account="desk", split={})


def two_venues(*, collateral: tuple[Holding, ...] = ()) -> tuple[Book, Snapshot]:
    """A short call and a perpetual that hedges it at Deribit, and another perpetual at a made-up venue."""
    _, market = demo()
    positions = (
        Position(instrument="BTC-26JUN26-90000-C.DERIBIT", quantity=-10),
        Position(instrument="BTC_USDC-PERPETUAL.DERIBIT", quantity=6),
    )
    product = {"venue": "DERIVE", "prefix": "ETH", "family": "perpetual", "underlying": "ETH", "payout": "linear"}
    document = BookDocument(
        accounts=(
            Account(
                id="desk",
                groups=(
                    Group(id="a", mode="portfolio", positions=positions, collateral=(usdc(500_000.0),)),
                    Group(
                        id="b",
                        mode="cross",
                        positions=(
                            Position(instrument="ETH-PERPETUAL.DERIVE", quantity=40),
                            Position(instrument="BTC-PERPETUAL.DERIBIT", quantity=5_000),
                        ),
                    ),
                ),
                collateral=collateral,
            ),
        ),
        products=(product_of(product),),
    )
    return build_book(document, now_ns=market.time_ns), market


def product_of(fields: dict[str, str]):
    from crossmargin.instruments.symbols import Product

    return Product(**fields, settle="USDC", multiplier=1.0)


def usdc(amount: float, chain: str = "") -> Holding:
    return Holding(asset="USDC", amount=amount, chain=chain)


@given(margin_cases(most_accounts=1))
@settings(max_examples=40)
def test_parts_hold_each_line_once(c: MarginCase):
    alone = account_alone(c.book, "a0")
    for grain in GRAINS:
        parts = parts_by(alone, grain)
        assert len({p.name for p in parts}) == len(parts)
        assert (sum((p.positions.astype(int) for p in parts), np.zeros(len(alone.positions), int)) == 1).all()
        assert (sum((p.orders.astype(int) for p in parts), np.zeros(len(alone.orders), int)) == 1).all()
        assert not any(p.holdings.any() for p in parts)
    counts = [len(parts_by(alone, grain)) for grain in GRAINS]
    assert counts == sorted(counts, reverse=True)
    assert finest_grain(alone, counts[0]) == "instrument"


@given(margin_cases(most_accounts=1))
@settings(max_examples=40)
def test_the_book_of_all_parts_is_the_book(c: MarginCase):
    alone = account_alone(c.book, "a0")
    again = book_of(alone, whole(alone))
    for name in ("positions", "orders", "holdings"):
        before, after = getattr(alone, name), getattr(again, name)
        held = [alone.table.ids[i] for i in before.instrument]
        assert held == [again.table.ids[i] for i in after.instrument]
        assert (before.quantity == after.quantity).all()


@given(margin_cases(most_accounts=1, model=None))
@settings(max_examples=30)
def test_own_margin_of_a_part_is_that_of_its_book(c: MarginCase):
    """All in one pass, against one book after the other."""
    c = c.changed(model=small_model())
    alone = account_alone(c.book, "a0")
    parts = (whole(alone), *parts_by(alone, "underlying"))
    initial, maintenance = own_margins(alone, plan(alone, c.snapshot, c.model), parts)
    found = [margin(book_of(alone, part), c.snapshot, c.model, prepared=None).pools for part in parts[:1]]
    assert initial[0] == pytest.approx(found[0].initial.sum(), rel=1e-9, abs=1e-6)
    assert maintenance[0] == pytest.approx(found[0].maintenance.sum(), rel=1e-9, abs=1e-6)


def test_own_margin_of_parts_is_the_same_one_by_one():
    """Under the scenarios of the whole account: alone, an instrument would not see what moves the others."""
    book, market = demo()
    alone = account_alone(book, "desk")
    parts, ready = parts_by(alone, "expiry"), plan(alone, market, MODEL)
    initial, maintenance = own_margins(alone, ready, parts)
    for part, *got in zip(parts, initial, maintenance, strict=True):
        lines = {name: getattr(alone, name) for name in ("positions", "orders", "holdings")}
        masked = {n: replace(x, quantity=frozen(x.quantity * getattr(part, n))) for n, x in lines.items()}
        found = margin(replace(alone, **masked), market, MODEL, prepared=ready).pools
        assert got == pytest.approx([found.initial.sum(), found.maintenance.sum()]), part.name


@given(margin_cases(most_accounts=1))
@settings(max_examples=15)
def test_any_book_is_compared(c: MarginCase):
    """What a rulebook cannot margin is a row that says so."""
    report = compare(c.book, c.snapshot, small_model(), account="a0", split={})
    assert {row.rulebook for row in report.rows} == set(rulebooks())
    for row in report.rows:
        assert (row.initial_usd is None) == bool(row.error)
        assert row.initial_usd is None or (math.isfinite(row.initial_usd) and 0 <= row.left_out <= report.lines)


def test_every_rulebook_has_a_row_that_is_its_own_answer():
    book, market = demo()
    alone = account_alone(book, "desk")
    report = demo_report()
    assert {row.rulebook for row in report.rows} == set(rulebooks())
    for row in report.rows:
        one = rulebooks()[row.rulebook]
        if row.error:
            assert row.initial_usd is None
            continue
        found = one.evaluate(alone, market, one.load(row.date))
        assert (row.initial_usd, row.maintenance_usd, row.refused) == (
            found.initial_usd,
            found.maintenance_usd,
            found.refused,
        )
        assert row.excess_usd == row.equity_usd - row.initial_usd
        names = [name for name in found.refused if not name.startswith("collateral ")]
        assert row.left_out == len(names)  # nothing of the demo stands in two groups


def test_rows_stand_in_the_order_of_what_they_leave_out_and_ask():
    keys = [(r.initial_usd is None, r.left_out, r.initial_usd or 0.0) for r in demo_report().rows]
    assert keys == sorted(keys)


def test_beside_a_partial_number_stands_the_own_one_of_the_same_positions():
    book, market = demo()
    alone = account_alone(book, "desk")
    row = next(r for r in demo_report().rows if r.rulebook == "dydx-v4")
    refused = set(row.refused)
    listed = np.asarray([name not in refused for name in alone.table.ids])
    part = part_of(alone, "listed", listed)
    part = replace(part, holdings=np.ones(len(alone.holdings), bool))
    want = margin(book_of(alone, part), market, MODEL).pools.initial.sum()
    assert row.own_initial_usd == pytest.approx(want, rel=1e-6)


def test_a_rule_that_nets_nothing_saves_nothing():
    """Deribit's standard margin and Aevo's ask for each contract by itself."""
    for row in demo_report().rows:
        if row.rulebook in {"deribit-standard", "aevo-standard"}:
            assert row.saving_usd == pytest.approx(0.0, abs=1e-6)


def test_parts_alone_are_their_own_books():
    book, market = demo()
    alone = account_alone(book, "desk")
    report = compare(book, market, MODEL, account="desk", names=["hyperliquid"], grain="underlying")
    (row,) = report.rows
    one = rulebooks()["hyperliquid"]
    parameters = one.load(row.date)
    answers = [one.evaluate(book_of(alone, p), market, parameters) for p in parts_by(alone, "underlying")]
    assert row.alone_usd == pytest.approx(math.fsum(a.initial_usd for a in answers))
    assert row.saving_usd == row.alone_usd - row.initial_usd


def test_offers_are_of_rulebooks_that_take_the_group_whole():
    book, market = demo()
    alone = account_alone(book, "desk")
    report = compare(book, market, MODEL, account="desk", grain="expiry")
    parts = {p.name: p for p in parts_by(alone, "expiry")}
    for group in report.groups:
        costs = [round(o.initial_usd, 2) for o in group.offers]
        assert costs == sorted(costs)
        taken = {o.rulebook for o in group.offers}
        for name in ("deribit-standard", "cboe-strategy", "hyperliquid"):
            one = rulebooks()[name]
            row = next(r for r in report.rows if r.rulebook == name)
            found = one.evaluate(book_of(alone, parts[group.group]), market, one.load(row.date))
            assert (name in taken) == (not found.refused), (name, group.group)


def partitions(items: list[int]):
    """Every way to part a list."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for size in range(len(rest) + 1):
        for chosen in itertools.combinations(rest, size):
            for others in partitions([i for i in rest if i not in chosen]):
                yield [[first, *chosen], *others]


NAMES = ("deribit-standard", "derive-pmrm2", "okx-cross", "standard-schedule", "cboe-strategy")


def test_the_assignment_is_the_least_of_all():
    """By brute force over every partition of the underlyings and every rulebook for each of its sets."""
    book, market = demo()
    alone = account_alone(book, "desk")
    report = compare(book, market, MODEL, account="desk", names=NAMES)
    found = report.assignment
    units = [p for p in parts_by(alone, "underlying") if p.name not in found.unplaced]
    dates = {row.rulebook: row.date for row in report.rows}

    @cache
    def cost(members: tuple[int, ...]) -> float:
        part = whole(alone)
        for name in ("positions", "orders"):
            lines = np.logical_or.reduce([getattr(units[i], name) for i in members])
            part = replace(part, **{name: lines})
        asked = book_of(alone, replace(part, holdings=np.zeros(len(alone.holdings), bool)))
        answers = [(n, rulebooks()[n].evaluate(asked, market, rulebooks()[n].load(dates[n]))) for n in NAMES]
        return min((a.initial_usd for _, a in answers if not a.refused), default=math.inf)

    least = min(sum(cost(tuple(s)) for s in sets) for sets in partitions(list(range(len(units)))))
    assert found.is_exact
    assert found.initial_usd == pytest.approx(least)
    assert found.initial_usd == pytest.approx(math.fsum(p.initial_usd for p in found.places))
    assert sorted(n for p in found.places for n in p.groups) == sorted(p.name for p in units)


def test_without_a_search_the_assignment_is_a_bound(monkeypatch):
    book, market = demo()
    exact = compare(book, market, MODEL, account="desk", names=NAMES).assignment
    monkeypatch.setattr(cheapest_module, "ASKED_MOST", 0)
    bound = compare(book, market, MODEL, account="desk", names=NAMES).assignment
    assert not bound.is_exact
    assert bound.initial_usd >= exact.initial_usd - 1e-9
    assert bound.unplaced == exact.unplaced == ("USD",)


def test_no_venue_has_two_rulebooks():
    names = [venue for one in rulebooks().values() for venue in one.venues]
    assert len(names) == len(set(names))
    assert default_venues()["DERIBIT"] == "deribit-standard"


def test_pieces_are_margined_by_the_rules_of_their_venues():
    book, market = two_venues()
    report = compare(book, market, MODEL, account="desk", names=["deribit-standard"], split={}).split
    pieces = {p.venue: p for p in report.pieces}
    assert {v: p.rulebook for v, p in pieces.items()} == {"DERIBIT": "deribit-standard", "DERIVE": "derive-srm"}
    assert report.is_whole
    assert report.initial_usd == pytest.approx(sum(p.initial_usd for p in pieces.values()))
    assert report.netted_initial_usd == pytest.approx(margin(book, market, MODEL).pools.initial.sum())
    alone = account_alone(book, "desk")
    eth = book_of(alone, part_of(alone, "eth", np.asarray([n.endswith("DERIVE") for n in alone.table.ids])))
    one = rulebooks()["derive-srm"]
    assert pieces["DERIVE"].initial_usd == one.evaluate(eth, market, one.load(pieces["DERIVE"].date)).initial_usd


def test_the_user_says_who_margins_a_venue():
    book, market = two_venues()
    report = compare(book, market, MODEL, account="desk", split={"DERIBIT": "derive-pmrm2"}).split
    assert next(p for p in report.pieces if p.venue == "DERIBIT").rulebook == "derive-pmrm2"
    with pytest.raises(UnknownName, match="DERIBIT"):
        compare(book, market, MODEL, account="desk", split={"DERIBIT": "nobody"})


def test_collateral_goes_where_the_book_says():
    """To the one venue of its pool's contracts, or of its chain; else nowhere, and said so."""
    book, market = two_venues(collateral=(usdc(1_000.0, CHAIN), usdc(2_000.0, "eip155:1")))
    report = compare(book, market, MODEL, account="desk", names=[], split={}).split
    held = {p.venue: p.collateral for p in report.pieces}
    # The account's own pool serves group b, at two venues; group a, at one, has collateral of its own.
    assert held == {"DERIBIT": ("USDC",), "DERIVE": (f"USDC {CHAIN}",)}
    assert report.unplaced == ("USDC eip155:1",)
    assert report.unplaced_usd == pytest.approx(2_000.0 * market.asset_price("USDC"))
    tied = compare(book, market, MODEL, account="desk", names=[], split={"eip155:1": "deribit-standard"}).split
    assert tied.unplaced == ()
    assert set(next(p for p in tied.pieces if p.venue == "DERIBIT").collateral) == {"USDC", "USDC eip155:1"}
    other = compare(book, market, MODEL, account="desk", names=[], split={"eip155:1": "dydx-v4"}).split
    assert next(p for p in other.pieces if p.venue == "eip155:1").positions == 0


def test_what_no_piece_margins_is_in_neither_number():
    report = demo_report().split
    assert not report.is_whole
    errors = [p for p in report.pieces if p.error]
    assert all(p.initial_usd is None for p in errors)
    assert report.netted_initial_usd < demo_report().initial_usd


def test_the_order_of_rulebooks_changes_nothing():
    book, market = demo()
    one, other = (
        compare(book, market, MODEL, account="desk", names=names)
        for names in (["okx-cross", "dydx-v4"], ["dydx-v4", "okx-cross", "dydx-v4"])
    )
    assert one == other


def test_answers_are_told_as_they_come():
    book, market = demo()
    told: list[tuple[int, int]] = []
    compare(
        book,
        market,
        MODEL,
        account="desk",
        names=["dydx-v4", "okx-cross"],
        progress=lambda _, done, total: told.append((done, total)),
    )
    assert told
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= total for done, total in told)


def test_many_instruments_stand_alone_by_expiry():
    book, market = demo()
    alone = account_alone(book, "desk")
    assert finest_grain(alone, PARTS_MOST) == "instrument"
    assert finest_grain(alone, len(parts_by(alone, "expiry"))) == "expiry"
    assert finest_grain(alone, 1) == "underlying"
    assert compare(book, market, MODEL, account="desk", names=["dydx-v4"], grain="expiry").grain == "expiry"


def test_an_account_of_collateral_alone_is_compared():
    _, market = demo()
    document = BookDocument(accounts=(Account(id="vault", collateral=(usdc(1e6, "eip155:1"),)),))
    book = build_book(document, now_ns=market.time_ns)
    report = compare(book, market, MODEL, account="vault", split={})
    assert (report.lines, report.initial_usd, report.alone_usd, report.groups) == (0, 0.0, 0.0, ())
    assert report.assignment.places == ()
    assert report.split is not None
    assert report.split.unplaced == ("USDC eip155:1",)
