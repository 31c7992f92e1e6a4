"""The command line. Nothing slow is imported before a command needs it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from crossmargin.cli.arguments import (
    DEFAULT_MODEL,
    AccountOption,
    AnyModelOption,
    BookArgument,
    HtmlOption,
    InstrumentsOption,
    JsonOption,
    MarketOption,
    ModelOption,
    RegistryOption,
)
from crossmargin.cli.cascading.entry import cascade
from crossmargin.cli.chains.entry import chains
from crossmargin.cli.failures.entry import failures
from crossmargin.cli.oracles.entry import oracles
from crossmargin.cli.proving.entry import proving
from crossmargin.cli.registry.entry import registry
from crossmargin.cli.report.over_time import over_time
from crossmargin.cli.transferring.entry import transfer
from crossmargin.cli.zk.entry import zk
from crossmargin.core.errors import CrossmarginError
from crossmargin.core.version import VERSION

app: Final = typer.Typer(
    name="crossmargin",
    help="Margin for one account over all its assets, venues and chains.\n\n"
    "Try it: `crossmargin demo` margins a bundled desk and writes report.html.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
market: Final = typer.Typer(name="market", help="Build a market from a real option chain, or check one.")
app.add_typer(market)
rulebooks: Final = typer.Typer(
    name="rulebooks",
    help="List the margin of venues and standards, or show one.",
    invoke_without_command=True,
    no_args_is_help=False,
)
app.add_typer(rulebooks)
app.add_typer(over_time)
app.add_typer(registry)
app.add_typer(oracles)
app.add_typer(chains)
app.add_typer(proving)
app.add_typer(zk)
app.command()(failures)
app.command()(cascade)
app.command()(transfer)


class Document(StrEnum):
    """What has a schema."""

    BOOK = "book"
    CASCADE = "cascade"
    CASE = "case"
    FAILURES = "failures"
    MARKET = "market"
    MODEL = "model"
    ORACLE_REPLAY = "oracle-replay"
    PACK = "pack"
    QUOTES = "quotes"
    REGISTRY = "registry"
    SOURCES = "sources"
    STRESS = "stress"


class Grain(StrEnum):
    """What stands alone in a comparison."""

    INSTRUMENT = "instrument"
    EXPIRY = "expiry"
    UNDERLYING = "underlying"


class Rows(StrEnum):
    """What a row of results is."""

    ACCOUNT = "account"
    GROUP = "group"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crossmargin {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def margin(
    book: BookArgument,
    market: MarketOption,
    model: AnyModelOption = DEFAULT_MODEL,
    account: AccountOption = None,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write results: .parquet, .csv, .arrow or .json.", metavar="FILE")
    ] = None,
    rows: Annotated[Rows, typer.Option("--rows", help="What a row of --out is.")] = Rows.ACCOUNT,
    threads: Annotated[int, typer.Option(min=1, help="Processors to use.")] = 1,
) -> None:
    """Print what each account must hold, and what it holds.

    The requirement comes term by term, with the scenario that set it; collateral comes with its haircuts. A large
    book is printed as totals and the accounts closest to their limit; `--out` writes a row for every account. With
    `--model derive-pmrm2@2025-03` a venue's rulebook margins it; what that does not list is named, and in no figure.

    Example: `crossmargin margin book.toml --market market.toml --html report.html`
    """
    from crossmargin.cli import commands

    inputs = commands.Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    commands.margin(inputs, account=account, as_json=as_json, html=html, out=out, rows=rows.value, threads=threads)


@app.command()
def simulate(
    book: BookArgument,
    market: MarketOption,
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add", help="A position to add: long is positive.", metavar="INSTRUMENT:QTY", show_default=False
        ),
    ] = None,
    collateral: Annotated[
        list[str] | None,
        typer.Option("--collateral", help="Collateral to add; negative is taken out.", metavar="ASSET[@CHAIN]:AMOUNT"),
    ] = None,
    account: AccountOption = None,
    group: Annotated[str | None, typer.Option(help="The margin group that takes the positions.", metavar="ID")] = None,
    model: AnyModelOption = DEFAULT_MODEL,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Ask what if: an account before and after, side by side.

    Positions are dealt at their marks. `--add` and `--collateral` may stand many times. `--account` may be left out
    where the book has one.

    Example: `crossmargin simulate book.toml -m market.toml -a desk --add BTC-26JUN26-100000-C.DERIBIT:-5
    --collateral USDC@eip155:1:50000`
    """
    from crossmargin.cli import commands

    inputs = commands.Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    change = commands.Change(add=tuple(add or ()), collateral=tuple(collateral or ()), group=group)
    commands.simulate(inputs, change, account=account, as_json=as_json, html=html)


@app.command()
def explain(
    book: BookArgument,
    market: MarketOption,
    account: AccountOption = None,
    model: AnyModelOption = DEFAULT_MODEL,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    previous_book: Annotated[
        Path | None, typer.Option(help="The book of then, to say what changed since.", metavar="FILE")
    ] = None,
    previous_market: Annotated[
        Path | None, typer.Option(help="The market of then, to say what changed since.", metavar="FILE")
    ] = None,
    previous_model: Annotated[
        str | None, typer.Option(help="The model of then, to say what changed since.", metavar="NAME|FILE|ID@DATE")
    ] = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Explain the margin of one account.

    Each term, the P&L in every scenario, who causes it (by position, underlying and group), the prices at which it
    would be liquidated, the largest orders that still fit, and what changed since an earlier book, market or model.

    Example: `crossmargin explain book.toml --market market.toml --account desk --html desk.html`
    """
    from crossmargin.cli import commands

    inputs = commands.Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    then = commands.Then(book=previous_book, market=previous_market, model=previous_model)
    commands.explain(inputs, then, account=account, as_json=as_json, html=html)


@app.command()
def stress(
    book: Annotated[
        Path | None,
        typer.Argument(help="The book: .toml, .json, .csv or .parquet.", show_default=False, metavar="BOOK"),
    ] = None,
    market: Annotated[
        Path | None, typer.Option("--market", "-m", help="The market: .toml or .json.", metavar="FILE")
    ] = None,
    scenarios: Annotated[
        Path | None, typer.Option(help="Named shocks: .toml or .json; shipped ones by default.", metavar="FILE")
    ] = None,
    library: Annotated[
        bool, typer.Option("--library", help="The shipped shocks, beside --scenarios too; without a BOOK, list them.")
    ] = False,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Only shocks of this day, month or year, or with this in the label.", metavar="LABEL|DATE"),
    ] = None,
    account: AccountOption = None,
    model: AnyModelOption = DEFAULT_MODEL,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Show P&L in named shocks with the margin after each, and over a grid of prices by volatilities.

    The shipped shocks are historical, from 1987 to 2024, and hypothetical (correlations go to one, a peg breaks); what
    the market lacks is cut from them and named. `crossmargin stress --library` lists them all; `crossmargin schema
    stress` says how to write your own.

    Example: `crossmargin stress book.toml --market market.toml --event 2020-03`
    """
    from crossmargin.cli import commands

    if book is None and library:
        commands.list_shocks(tuple(event or ()), as_json=as_json)
        return
    inputs = commands.needed_inputs(book, market, model, instruments=instruments, registry=registry)
    shocks = commands.Shocks(file=scenarios, library=library, events=tuple(event or ()))
    commands.stress(inputs, shocks, account=account, as_json=as_json, html=html)


@app.command()
def schema(
    document: Annotated[Document, typer.Argument(help="What to print the schema of.", show_default=False)],
) -> None:
    """Print the JSON Schema of a document, for editors and validators.

    Example: `crossmargin schema book > book.schema.json`
    """
    from crossmargin.adapters.schemas import schema as schema_of
    from crossmargin.cli.output import print_json

    print_json(schema_of(document.value))


@rulebooks.callback()
def list_rulebooks(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the margin of venues and standards, with their dates and how certain each is; or show one.

    Example: `crossmargin rulebooks`
    """
    if context.invoked_subcommand is None:
        from crossmargin.cli.rulebooks import command as rulebook_commands

        rulebook_commands.list_rulebooks(as_json=as_json)


@rulebooks.command("show")
def show_rulebook(
    name: Annotated[str, typer.Argument(help="The id of a rulebook.", show_default=False, metavar="ID")],
    as_json: JsonOption = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of its parameters.")] = False,
    portfolio: Annotated[
        bool,
        typer.Option("--portfolio-schema", help="Print the JSON Schema of the portfolio it takes on its own terms."),
    ] = False,
) -> None:
    """Show one rulebook: formulas, open parts, parameter dates and sources; with --json the parameters too.

    Example: `crossmargin rulebooks show derive-pmrm2`
    """
    from crossmargin.cli.rulebooks import command as rulebook_commands

    rulebook_commands.show_rulebook(name, as_json=as_json, schema=schema, portfolio=portfolio)


@app.command()
def compare(
    book: BookArgument,
    market: MarketOption,
    names: Annotated[str, typer.Option("--rulebooks", help='Ids parted by commas, or "all".', metavar="ID,…")] = "all",
    account: AccountOption = None,
    date: Annotated[
        str | None, typer.Option(help="Use the parameters in force on this day.", metavar="YYYY-MM-DD")
    ] = None,
    alone: Annotated[
        Grain | None,
        typer.Option(help="What stands alone beside the whole: the finest that makes few parts, by default."),
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="Also margin the book in pieces, each at the venue of its contracts.")
    ] = False,
    venue: Annotated[
        list[str] | None,
        typer.Option(help="Who margins a venue, or a chain, in --split; may stand many times.", metavar="VENUE=ID"),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(help="Parameters of a rulebook from a file of yours; may stand many times.", metavar="ID=FILE"),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    instruments: InstrumentsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> None:
    """Margin one account under many rulebooks, beside Crossmargin's own netted number.

    Positions that a rulebook does not list are left out of its number, counted, and named on the page; beside it stands
    what Crossmargin asks for the same positions. Says what netting saves against standing alone, where the positions
    would be cheapest, and with --split what they take where they are held now.

    Example: `crossmargin compare book.toml --market market.toml --split --venue DERIBIT=derive-pmrm2 --html page.html`
    """
    from crossmargin.cli import commands
    from crossmargin.cli.comparing import command as compare_command

    inputs = commands.Inputs(book=book, market=market, model=model, instruments=instruments, registry=registry)
    asked = compare_command.Asked(
        names=names,
        account=account,
        date=date,
        parameters=tuple(parameters or ()),
        grain=None if alone is None else alone.value,
        split=split,
        venues=tuple(venue or ()),
    )
    compare_command.compare(inputs, asked, html=html, as_json=as_json)


@app.command()
def conformance(
    path: Annotated[
        Path, typer.Argument(help="The folder of one or more packs; with --new a book.", show_default=False)
    ],
    new: Annotated[
        Path | None, typer.Option("--new", help="Write a pack of a book into this new folder.", metavar="FOLDER")
    ] = None,
    name: Annotated[str | None, typer.Option("--rulebook", help="The rulebook of a new pack.", metavar="ID")] = None,
    market: Annotated[
        Path | None, typer.Option("--market", "-m", help="The market of a new pack.", metavar="FILE")
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="The day of its parameters; by default the market's.", metavar="YYYY-MM-DD")
    ] = None,
    parameters: Annotated[Path | None, typer.Option(help="Its parameters from a file.", metavar="FILE")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run conformance packs through the rulebooks: cases passed and failed, and the worst error.

    Exit code 1 where a case fails. `--new` writes a pack to begin with, whose numbers are Crossmargin's own until you
    replace them by those of your venue; `crossmargin schema pack` and `crossmargin schema case` say what it may hold.

    A pack to begin with: `crossmargin conformance book.toml --new packs/mine --rulebook dydx-v4 --market market.toml`

    Example: `crossmargin conformance packs/`
    """
    from crossmargin.cli.conformance import command as conformance_commands

    if new is not None:
        conformance_commands.new_pack(
            new, path, market=market, name=name, date=date, parameters=parameters, as_json=as_json
        )
    elif not conformance_commands.conformance(path, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def demo() -> None:
    """Margin and explain a bundled desk, and write report.html here.

    The desk holds BTC and ETH options and perpetuals, futures, an equity-index option, an FX forward and a rates
    ladder, with collateral on several chains; the market is fitted from a real option chain.

    Example: `crossmargin demo`
    """
    from crossmargin.cli import commands

    commands.demo()


@market.command("build")
def build_market(
    deribit: Annotated[
        list[Path] | None,
        typer.Option(
            "--deribit",
            help="Deribit's answers (.json: instruments and book summaries) or tables of snapshots (.parquet).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    tradfi: Annotated[
        list[Path] | None,
        typer.Option("--tradfi", help="Chains of shares and indices: .parquet or .csv.", metavar="FILE"),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            "--base", help="A market that gives what chains do not: liquidity, correlations, …", metavar="FILE"
        ),
    ] = None,
    at: Annotated[str, typer.Option("--at", help='The time to use: the last chains by then; "all" reports each.')] = "",
    rate: Annotated[float | None, typer.Option(help="The dollar rate for --tradfi, 0.04 for 4 %.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The market to write: .toml or .json.", metavar="FILE")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also draw the smiles and the surface on one page.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit forwards and smiles to a real option chain.

    Prints a pricing-integrity report: the error of the fit, and every quote that was left out, with its reason. What a
    chain does not say (liquidity, correlations, collateral assets) comes from `--base`.

    Example: `crossmargin market build --deribit chain.parquet --at 2026-03-31 --base desk.toml --out market.toml`
    """
    from crossmargin.cli.markets import command as markets

    sources = markets.Sources(deribit=tuple(deribit or ()), tradfi=tuple(tradfi or ()), base=base, at=at, rate=rate)
    markets.build(sources, out=out, html=html, as_json=as_json)


@market.command("check")
def check_market(
    path: Annotated[Path, typer.Argument(help="The market: .toml or .json.", metavar="MARKET", show_default=False)],
    book: Annotated[
        Path | None, typer.Option(help="A book: does the market hold all it needs?", metavar="FILE")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    registry: RegistryOption = None,
    now: Annotated[str | None, typer.Option(help="Refuse a market that is old at this time (ISO 8601).")] = None,
    age_limit: Annotated[float, typer.Option(help="How old it may be, in seconds.")] = 60.0,
) -> None:
    """Say what a market holds, and what is wrong with it.

    Checks every figure, the surfaces for static arbitrage and, where wanted, the age, and whether it holds all that a
    book needs.

    Example: `crossmargin market check market.toml --book book.toml`
    """
    from crossmargin.cli.markets import command as markets

    markets.check_market(path, registry=registry, book=book, model=model, now=now, age_limit_s=age_limit)


def main() -> None:
    """Run the command line; an error that a user can mend is one line on stderr and exit code 2."""
    try:
        app()
    except CrossmarginError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
