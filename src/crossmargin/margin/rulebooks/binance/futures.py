"""Binance USDⓈ-M futures in cross mode: maintenance by bracket, initial margin by the leverage that was chosen."""

from __future__ import annotations

import math

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.binance.unified import Parameters
from crossmargin.margin.rulebooks.brackets import bracket_term, within_cap
from crossmargin.margin.rulebooks.holdings import LINEAR, cash_usd, read_holdings, split_listed
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The margin of a one-account book in cross mode, each contract on its own, orders at their worse fill.

    Equity is cash and unsettled P&L; coins held are no collateral there.
    """
    held = read_holdings(book, snapshot, families=LINEAR, where=RULEBOOK.id)
    listed, refused = split_listed(held, parameters.brackets)
    listed, oversized = within_cap(listed, parameters.brackets)
    cash, unlisted = cash_usd(held, parameters.cash)
    return summed(
        RULEBOOK.id,
        parameters.date,
        [bracket_term(c, parameters.brackets[c.coin], parameters.leverage) for c in listed],
        cash + math.fsum(c.pnl for c in listed),
        notes=(*held.notes, f"leverage chosen: {parameters.leverage:g}", *oversized),
        refused=(*refused, *unlisted, *(note.split(":", maxsplit=1)[0] for note in oversized)),
    )


RULEBOOK = Rulebook(
    id="binance-um",
    name="Binance USDⓈ-M futures, cross mode",
    family="weights",
    products="perpetual, future",
    method="leverage brackets by notional; no netting between contracts",
    formulas="""\
IM = worst-fill notional / min(leverage, tier maximum)
MM = notional·rate − cum of the tier of the whole notional;  cum_i = cum_{i−1} + floor_i·(rate_i − rate_{i−1})""",
    sources=("BTCUSDT leverage brackets, July 2024",),
    certainty="approximate",
    parameters=Parameters,
    folder="binance",
    evaluate=evaluate,
    open_parts=("brackets beyond BTC are a conservative reading: load the venue's current table",),
    venues=("BINANCE",),
)
