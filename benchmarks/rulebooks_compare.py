"""One account under every rulebook: whole, its parts alone, and where it is cheapest, against asking in plain loops."""

import time
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from benchmarks.case import Bar, Case, Contender
from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.core.errors import CrossmarginError
from crossmargin.engine.compare import compare
from crossmargin.engine.comparing.parts import book_of, finest_grain, parts_by
from crossmargin.engine.variants import account_alone
from crossmargin.margin.rulebooks.registry import rulebooks
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book
from crossmargin.portfolio.build import build_book
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position

SIZES = (50, 100, 200)
ASKED = "the time asked, a second for 200 positions"
STRIKES = {"BTC": range(40_000, 120_000, 2_000), "ETH": range(1_000, 4_000, 100)}
EXPIRIES = ("3APR26", "10APR26", "17APR26", "24APR26", "29MAY26", "26JUN26", "25SEP26", "25DEC26")


@cache
def world() -> tuple[Book, Snapshot]:
    """The bundled desk and its market."""
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as folder:
        market = read_market(Path(folder) / "market.toml")
        return read_book(Path(folder) / "book.toml", market=market), market


def draw(positions: int) -> Book:
    """An account of BTC and ETH options at any of eight expiries, long and short, over coins and dollars."""
    rng, (_, market) = np.random.default_rng(0), world()
    every = [
        f"{coin}-{expiry}-{strike}-{right}.DERIBIT"
        for coin, strikes in STRIKES.items()
        for expiry in EXPIRIES
        for strike in strikes
        for right in "CP"
    ]
    chosen = rng.choice(len(every), positions, replace=False)
    held = tuple(
        Position(instrument=every[i], quantity=float(rng.integers(1, 20) * rng.choice((-1, 1)))) for i in chosen
    )
    collateral = (Holding(asset="USDC", amount=4e6, chain="eip155:1"), Holding(asset="BTC", amount=20.0))
    account = Account(id="desk", groups=(Group(id="options", mode="portfolio", positions=held),), collateral=collateral)
    return build_book(BookDocument(accounts=(account,)), now_ns=market.time_ns)


def in_loops(book: Book, market: Snapshot) -> list[float]:
    """What a user would write: each rulebook for the account and for each of its parts, read anew every time."""
    alone = account_alone(book, "desk")
    parts = parts_by(alone, finest_grain(alone, 24))
    found = []
    for one in rulebooks().values():
        for asked in (alone, *(book_of(alone, part) for part in parts)):
            try:
                found.append(one.evaluate(asked, market, one.load(one.dates()[-1])).initial_usd if one.dates() else 0.0)
            except CrossmarginError:
                found.append(0.0)
    return found


def contest(positions: int) -> list[Contender]:
    (_, market), book, model = world(), draw(positions), read_model_document()
    names = tuple(rulebooks())
    return [
        Contender(
            name="crossmargin", run=lambda: compare(book, market, model, account="desk", split={}), cells=positions
        ),
        Contender(
            name="one rulebook at a time",
            run=lambda: [compare(book, market, model, account="desk", names=[name]) for name in names],
            cells=positions,
        ),
        Contender(name="evaluate in a loop, nothing cheapest", run=lambda: in_loops(book, market), cells=positions),
        Contender(name=ASKED, run=lambda: time.sleep(positions / 200), cells=positions),
    ]


def error() -> float:
    """Largest relative distance of an initial margin from that of the rulebook asked by itself."""
    (_, market), book = world(), draw(SIZES[0])
    report = compare(book, market, read_model_document(), account="desk")
    alone = account_alone(book, "desk")
    worst = 0.0
    for row in report.rows:
        if row.initial_usd is not None:
            one = rulebooks()[row.rulebook]
            want = one.evaluate(alone, market, one.load(row.date)).initial_usd
            worst = max(worst, abs(row.initial_usd - want) / max(abs(want), 1.0))
    return worst


def cases() -> list[Case]:
    return [
        Case(
            name="an account under every rulebook",
            unit="positions",
            sizes=SIZES,
            contest=contest,
            bars=(Bar(against=ASKED, ratio_min=1.0), Bar(against="one rulebook at a time", ratio_min=1.2)),
            error=error,
            error_max=1e-12,
            notes=f"{len(rulebooks())} rulebooks: whole, parts alone, cheapest, in pieces",
        )
    ]
