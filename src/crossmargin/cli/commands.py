"""What the commands do: read, compute, then print and write; nothing is written before all is computed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from crossmargin.adapters.files import read_book, read_market, read_model, read_stress
from crossmargin.adapters.writing import replacing, write_text
from crossmargin.cli.inputs import parse_addition, parse_collateral, summed
from crossmargin.cli.output import enter_text, print_report, progress_bar
from crossmargin.core.check import known
from crossmargin.core.errors import InvalidInput
from crossmargin.engine.accounts import margin_report
from crossmargin.engine.margin import MarginResult
from crossmargin.engine.margin import margin as margin_book
from crossmargin.engine.model import AnyModel, in_force
from crossmargin.engine.plan import Progress
from crossmargin.engine.reports import AccountReport, MarginReport, Ruling
from crossmargin.engine.ruled.margin import RuledMargin
from crossmargin.engine.variants import account_alone
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

if TYPE_CHECKING:
    from rich.console import RenderableType

    from crossmargin.engine.explaining.change import Previous

REPORTED_WHOLE = 100  # accounts of a book that are reported with all their parts, if only in totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files that every command reads."""

    book: Path
    market: Path
    model: str
    instruments: Path | None = None
    registry: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a what-if adds, as the user writes it."""

    add: tuple[str, ...]
    collateral: tuple[str, ...]
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shocks:
    """Which shocks to apply: those of a file, the shipped ones, or some of either."""

    file: Path | None
    library: bool
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """The files of an earlier result; what is not named is as it is now."""

    book: Path | None
    market: Path | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """The values of `Inputs`."""

    book: Book
    snapshot: Snapshot
    model: AnyModel


def margin(
    inputs: Inputs,
    *,
    account: str | None,
    as_json: bool,
    html: Path | None,
    out: Path | None,
    rows: Literal["account", "group"],
    threads: int,
) -> None:
    """Margin a book, print its report, and write it where wanted."""
    if out is not None:
        from crossmargin.adapters.results import check_suffix

        check_suffix(out)
    with progress_bar() as progress:
        now = _load(inputs, progress)
        book = now.book if account is None else account_alone(now.book, account)
        result = margin_book(book, now.snapshot, now.model, threads=threads, progress=progress)
        whole = as_json or len(book.accounts) <= REPORTED_WHOLE
        report = margin_report(result) if whole else _totals(result)
    with ExitStack() as files:
        if out is not None:
            from crossmargin.adapters.results import write_table

            write_table(files.enter_context(replacing(out)), result, suffix=out.suffix.lower(), by=rows)
        if html is not None:
            from crossmargin.cli.report.page import margin_page

            enter_text(files, html, margin_page(report, snapshot=now.snapshot))
    print_report(report, as_json=as_json, tables=_margin_tables)
    _warn({a.id: a.ruling for a in report.accounts})


def simulate(inputs: Inputs, change: Change, *, account: str | None, as_json: bool, html: Path | None) -> None:
    """Compare an account before and after a change."""
    from crossmargin.engine.whatif import simulate as simulate_account

    add = summed(parse_addition(text) for text in change.add)
    collateral = summed(parse_collateral(text) for text in change.collateral)
    with progress_bar() as progress:
        now = _load(inputs, progress)
        report = simulate_account(
            now.book,
            now.snapshot,
            now.model,
            account=one_account(now.book, account, inputs.book),
            add=add,
            collateral=collateral,
            group=change.group,
        )
    from crossmargin.cli.tables import simulate_tables

    if html is not None:
        from crossmargin.cli.report.page import simulate_page

        write_text(html, simulate_page(report))
    print_report(report, as_json=as_json, tables=simulate_tables)
    _warn({report.after.id: report.after.ruling})


def explain(inputs: Inputs, then: Then, *, account: str | None, as_json: bool, html: Path | None) -> None:
    """Explain one account."""
    from crossmargin.engine.explaining.explain import explain as explain_account

    with progress_bar() as progress:
        now = _load(inputs, progress)
        report = explain_account(
            now.book,
            now.snapshot,
            now.model,
            account=one_account(now.book, account, inputs.book),
            previous=_previous(inputs, then, now),
            progress=progress,
        )
    from crossmargin.cli.tables import explain_tables

    if html is not None:
        from crossmargin.cli.report.page import explain_page

        write_text(html, explain_page(report, now.snapshot))
    print_report(report, as_json=as_json, tables=explain_tables)
    _warn({report.account.id: report.account.ruling})


def stress(inputs: Inputs, shocks: Shocks, *, account: str | None, as_json: bool, html: Path | None) -> None:
    """Stress a book, or one of its accounts."""
    from crossmargin.engine.stress import stress as stress_book

    with progress_bar() as progress:
        now = _load(inputs, progress)
        report = stress_book(
            now.book if account is None else account_alone(now.book, account),
            now.snapshot,
            now.model,
            scenarios=read_stress(shocks.file) if shocks.file is not None else None,
            library=shocks.library,
            events=shocks.events,
            progress=progress,
        )
    from crossmargin.cli.tables import stress_tables

    if html is not None:
        from crossmargin.cli.report.page import stress_page

        write_text(html, stress_page(report))
    print_report(report, as_json=as_json, tables=stress_tables)
    _warn({a.id: a.ruling for a in report.accounts})


def needed_inputs(
    book: Path | None, market: Path | None, model: str, *, instruments: Path | None, registry: Path | None
) -> Inputs:
    """The files of a command that can also do without; raises `InvalidInput` for a book or market that is not named."""
    if book is None or market is None:
        missing = "BOOK" if book is None else "--market"
        raise InvalidInput(
            missing, where="stress", value="missing", limit="a file", remedy="Name it, or use --library."
        )
    return Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)


def list_shocks(events: tuple[str, ...], *, as_json: bool) -> None:
    """List the shipped shocks, or some of them."""
    from crossmargin.cli.stressing.tables import library_table
    from crossmargin.engine.stress import default_stress
    from crossmargin.scenarios.stress import pick

    library = pick(default_stress(), events) if events else default_stress()
    print_report(library, as_json=as_json, tables=library_table)


def demo() -> None:
    """Margin and explain the bundled book, and write report.html."""
    from crossmargin.cli.report.page import margin_page
    from crossmargin.cli.tables import explain_tables
    from crossmargin.engine.explaining.explain import explain as explain_account

    with progress_bar() as progress, resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as folder:
        inputs = Inputs(book=folder / "book.toml", market=folder / "market.toml", model="crossmargin-grid")
        now = _load(inputs, progress)
        report = margin_report(margin_book(now.book, now.snapshot, now.model, progress=progress))
        explained = [
            explain_account(now.book, now.snapshot, now.model, account=name, progress=progress)
            for name in now.book.accounts
        ]
    target = Path("report.html")
    write_text(target, margin_page(report, explained, now.snapshot))
    print_report(report, as_json=False, tables=_margin_tables)
    for explanation in explained:
        print_report(explanation, as_json=False, tables=explain_tables)
    print(f"Wrote {target}: open it in a browser.")


def _load(inputs: Inputs, progress: Progress) -> Loaded:
    model = read_model(inputs.model)
    snapshot = read_market(inputs.market, registry=inputs.registry)
    progress("reading the book", 0, 0)
    return Loaded(
        book=read_book(inputs.book, market=snapshot, instruments=inputs.instruments),
        snapshot=snapshot,
        model=in_force(model, snapshot),
    )


def _previous(inputs: Inputs, then: Then, now: Loaded) -> Previous | None:
    if then.book is None and then.market is None and then.model is None:
        return None
    from crossmargin.engine.explaining.change import Previous

    snapshot = now.snapshot if then.market is None else read_market(then.market, registry=inputs.registry)
    return Previous(
        book=read_book(then.book or inputs.book, market=snapshot, instruments=inputs.instruments),
        snapshot=snapshot,
        model=now.model if then.model is None else read_model(then.model),
    )


def one_account(book: Book, account: str | None, path: Path) -> str:
    """The account that is meant: the one that is named, or the only one."""
    if account is None and len(book.accounts) == 1:
        return book.accounts[0]
    if account is None:
        raise InvalidInput(
            "number of accounts",
            where=str(path),
            value=len(book.accounts),
            limit="1, or one named by --account",
            remedy=f"Name one: --account {book.accounts[0]}" if book.accounts else "Add an account to the book.",
        )
    return known(account, book.accounts, "account", where=str(path), remedy="Name an account of the book.")


def _warn(rulings: Mapping[str, Ruling | None]) -> None:
    """Say on stderr which requirements leave out positions, so that a pipe or a script sees it too."""
    from crossmargin.cli.rulebooks.ruling import partial_line

    line = partial_line(rulings)
    if line:
        print(f"warning: {line}", file=sys.stderr)


def _totals(result: MarginResult | RuledMargin) -> MarginReport:
    """The report of a large book: every account without its parts."""
    from crossmargin.adapters.results import account_columns
    from crossmargin.engine.accounts import book_standings, provenance
    from crossmargin.engine.ruled.accounts import ruling

    columns = account_columns(result)
    names = [name for name in AccountReport.__struct_fields__ if name not in {"id", "pools", "ruling", "standings"}]
    figures = [list(columns["account"]), *(np.asarray(columns[name]).tolist() for name in names)]
    rulings: list[Ruling | None] = [None] * len(figures[0])
    if isinstance(result, RuledMargin):
        rulings = [ruling(result.model, found) for found in result.results]
    accounts = []
    for values, ruled in zip(zip(*figures, strict=True), rulings, strict=True):
        fields = dict(zip(("id", *names), values, strict=True))
        if math.isnan(fields["margin_ratio"]):
            fields["margin_ratio"] = None
        accounts.append(AccountReport(**fields, pools=(), ruling=ruled))
    return MarginReport(provenance=provenance(result), accounts=tuple(accounts), standings=book_standings(result))


def _margin_tables(report: MarginReport) -> RenderableType:
    from crossmargin.cli.tables import margin_tables

    return margin_tables(report)
