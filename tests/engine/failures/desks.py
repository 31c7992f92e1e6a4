"""One account in the demonstration's market, and its failures."""

from dataclasses import replace
from importlib import resources

from crossmargin.adapters.files import read_market, read_model
from crossmargin.adapters.registries.files import default_registry
from crossmargin.engine.failures.run import run_failures
from crossmargin.portfolio import document as book
from crossmargin.portfolio.build import build_book

DEMO = resources.files("crossmargin.cli").joinpath("demo")
ARBITRUM, BASE, POLYGON = "eip155:42161", "eip155:8453", "eip155:137"
PERPETUAL = "BTC_USDC-PERPETUAL.DERIBIT"


def plain_market():
    """The demonstration's market without what it says of chains."""
    return replace(read_market(str(DEMO / "market.toml")), chains=None)


def account(snapshot, holdings, positions=((PERPETUAL, 1.0),)):
    """A book of one account: collateral as (asset, amount, chain), positions as (instrument, quantity)."""
    held = tuple(book.Holding(asset=a, amount=x, chain=c) for a, x, c in holdings)
    lines = tuple(book.Position(instrument=name, quantity=q) for name, q in positions)
    group = book.Group(id="main", mode="portfolio", positions=lines)
    one = book.Account(id="account", collateral=held, groups=(group,))
    return build_book(book.BookDocument(accounts=(one,)), now_ns=snapshot.time_ns)


def lines_of(snapshot, made, *events, model="crossmargin-grid", share=0.0, **more):
    """The report of events on a book, with the share behind one bridge where it is not 0, and its lines by id."""
    chosen = read_model(model)
    reports = run_failures(made, snapshot, chosen, default_registry(), events=events, bridge_share=share, **more)
    report = reports.bridged or reports.as_it_is
    return report, {line.id: line for line in report.events}
