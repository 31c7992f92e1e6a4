"""The engine as a user meets it: an order check, the command line, and a million positions from file to file."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
from msgspec.structs import replace

import crossmargin as xm
from benchmarks.case import Case, Contender, Limit
from crossmargin.instruments.symbols import option_id
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding, Position

DEMO = resources.files("crossmargin.cli").joinpath("demo")
MARKET = Path(str(DEMO / "market.toml"))
PERPETUAL = "BTC-PERPETUAL.DERIBIT"
COMMAND = Path(sys.executable).with_name("crossmargin")
QUESTIONS = 2_000


@cache
def market() -> xm.Snapshot:
    return xm.read_market(MARKET)


def listed(underlying: str) -> list[str]:
    """Options on every expiry of the surface, 40 strikes around each forward, calls and puts."""
    u = market().underlyings[underlying]
    assert u.surface is not None
    step = 500.0 if u.spot > 10_000 else 10.0
    return [
        option_id(underlying, int(expiry), float(strike), right, "DERIBIT")
        for expiry in u.surface.expiry_ns
        for strike in np.unique(np.round(float(u.curve(expiry)) * np.exp(np.linspace(-0.6, 0.6, 40)) / step) * step)
        for right in ("C", "P")
    ]


@cache
def account(positions: int) -> tuple[xm.Book, xm.ModelDocument]:
    """An account of options and a perpetual, and a model of about a thousand scenarios."""
    rng = np.random.default_rng(7)
    names = rng.choice(np.asarray(listed("BTC") + listed("ETH")), positions - 1, replace=False)
    lines = tuple(
        Position(instrument=str(n), quantity=float(q))
        for n, q in zip(names, rng.normal(0, 5, positions - 1), strict=True)
    )
    held = Position(instrument=PERPETUAL, quantity=100_000.0)
    group = Group(id="main", mode="portfolio", positions=(*lines, held))
    cash = Holding(asset="USDC", amount="5000000", chain="eip155:1")
    document = BookDocument(accounts=(Account(id="a", groups=(group,), collateral=(cash,)),))
    model = xm.read_model("crossmargin-grid")
    return xm.build_book(document, now_ns=market().time_ns), replace(model, grid=replace(model.grid, steps=53))


@cache
def question(positions: int):
    book, model = account(positions)
    return xm.what_if(book, market(), model, account="a")


def what_if(positions: int) -> list[Contender]:
    _, model = account(positions)
    asked = question(positions)
    assert 950 <= len(asked.plan.scenarios) <= 1_100
    change = {PERPETUAL: 50_000.0}
    return [
        Contender(name="WhatIf.after", run=lambda: asked.after(change), cells=1),
        Contender(
            name="the account again, R known",
            run=lambda: xm.margin(asked.book, market(), model, prepared=asked.plan),
            cells=1,
        ),
        Contender(name="the account again, R too", run=lambda: xm.margin(asked.book, market(), model), cells=1),
    ]


def slowest_in_a_hundred() -> float:
    """Milliseconds that 99 of 100 what-ifs on the largest account do not exceed."""
    asked, rng = question(200), np.random.default_rng(1)
    times = np.empty(QUESTIONS)
    for i, size in enumerate(rng.normal(0.0, 1e5, QUESTIONS)):
        start = time.perf_counter()
        asked.after({PERPETUAL: float(size)})
        times[i] = time.perf_counter() - start
    return float(np.quantile(times, 0.99) * 1e3)


def command(*arguments: str) -> None:
    subprocess.run([COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)


def seconds(*arguments: str) -> float:
    """Best wall time of five runs of the command, after one that warms the caches."""
    command(*arguments)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        command(*arguments)
        best = min(best, time.perf_counter() - start)
    return best


@cache
def small_book(positions: int) -> Path:
    """One account of BTC and ETH options as TOML."""
    names = np.asarray(listed("BTC") + listed("ETH"))[:: max(1, 1_900 // positions)][:positions]
    lines = "".join(f'  {{ instrument = "{name}", quantity = -1 }},\n' for name in names)
    text = f"""[[accounts]]
id = "a"
collateral = [{{ asset = "USDC", amount = "1e9", chain = "eip155:1" }}]
[[accounts.groups]]
id = "main"
mode = "portfolio"
positions = [
{lines}]
"""
    path = Path(tempfile.mkdtemp(prefix="crossmargin-bench-")) / f"book-{positions}.toml"
    path.write_text(text)
    return path


def command_line(positions: int) -> list[Contender]:
    book = str(small_book(positions))
    imports = [sys.executable, "-c", "import numpy, scipy.stats, numba"]
    return [
        Contender(name="crossmargin margin", run=lambda: command("margin", book, "--market", str(MARKET)), cells=1),
        Contender(
            name="importing numpy, scipy.stats and numba", run=lambda: subprocess.run(imports, check=True), cells=1
        ),
    ]


def demo_arguments() -> tuple[str, ...]:
    return ("margin", str(DEMO / "book.toml"), "--market", str(MARKET))


@cache
def big_book(positions: int) -> Path:
    """A flat book: positions of one account in twenty over 3,000 instruments, shuffled, and cash in each account."""
    rng = np.random.default_rng(3)
    names = np.asarray([*listed("BTC"), *listed("ETH")])
    names = np.append(rng.choice(names, min(2_999, len(names)), replace=False), PERPETUAL)
    accounts = positions // 20
    held = positions - accounts
    key = rng.choice(accounts * len(names), held, replace=False)
    label = np.char.add("acct-", np.char.zfill(np.arange(accounts).astype(str), 6))
    lines = pl.DataFrame(
        {
            "account": label[key // len(names)],
            "instrument": names[key % len(names)],
            "quantity": np.round(rng.normal(0.0, 3.0, held), 4),
            "kind": "position",
            "chain": "",
        }
    )
    cash = pl.DataFrame(
        {"account": label, "instrument": "USDC", "quantity": 2e5, "kind": "collateral", "chain": "eip155:1"}
    )
    path = Path(tempfile.mkdtemp(prefix="crossmargin-bench-")) / f"book-{positions}.parquet"
    pl.concat([lines, cash]).sample(fraction=1.0, shuffle=True, seed=1).write_parquet(path)
    return path


def run_big(positions: int) -> None:
    book = big_book(positions)
    command("margin", str(book), "--market", str(MARKET), "--out", str(book.with_name("result.parquet")))


def big(positions: int) -> list[Contender]:
    big_book(positions)
    return [Contender(name="crossmargin margin --out", run=lambda: run_big(positions), cells=positions)]


def peak_mib() -> float:
    """Peak resident memory of the million-position run, MiB, as the system counted it for the child process."""
    big_book(1_000_000)
    pid = os.fork()
    if pid == 0:
        run_big(1_000_000)
        os._exit(0 if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss else 1)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, "the run failed"
    return usage.ru_maxrss / 1024.0


def cases() -> list[Case]:
    """The cases of this file."""
    return [
        Case(
            name="what-if on one account, 1,000 scenarios",
            unit="positions",
            sizes=(50, 100, 200),
            contest=what_if,
            limits=(Limit(name="p99", unit="ms", at_most=1.0, measure=slowest_in_a_hundred),),
        ),
        Case(
            name="a book margined from the command line",
            unit="positions",
            sizes=(10, 100, 1_000),
            contest=command_line,
            limits=(
                Limit(name="--help", unit="s", at_most=0.3, measure=lambda: seconds("--help")),
                Limit(name="margin, demo", unit="s", at_most=1.5, measure=lambda: seconds(*demo_arguments())),
            ),
        ),
        Case(
            name="a book from Parquet to Parquet",
            unit="positions",
            sizes=(250_000, 500_000, 1_000_000),
            contest=big,
            limits=(Limit(name="peak memory", unit="MiB", at_most=1024.0, measure=peak_mib),),
        ),
    ]
