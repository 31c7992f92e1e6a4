"""A cascade in words: the same for the terminal and for the page."""

from __future__ import annotations

from crossmargin.cli.failures.words import duration
from crossmargin.cli.wording import chain_name, compact, named, percent
from crossmargin.engine.failures.cascading import AccountCascade, CascadeReport


def chain_words(chain: str) -> str:
    """The name of a chain, or that it is none."""
    return chain_name(chain) if chain else "off chain"


def story(report: CascadeReport) -> tuple[str, ...]:
    """The cascade in a few sentences."""
    dealt, failed = sum(c.dealt for c in report.by_chain), sum(c.failed for c in report.by_chain)
    moved = ", ".join(
        f"{a.asset} from {percent(a.shock, plus=True)} to {percent(a.move, plus=True)}"
        for a in report.by_asset
        if a.shock or a.move
    )
    sellers = f"Of {named(report.accounts, 'account')}, {dealt:,} must sell and {failed:,} cannot pay what they owe"
    owed = f"owe {compact(report.deficit_usd)} that they do not have"
    payers = f"the fund pays {compact(report.fund_usd)}, those who are left {compact(report.charged_usd)}"
    said = [
        f"{sellers}; sales take {moved or 'no price anywhere'}.",
        f"Losers lose {compact(report.lost_usd)} USD and {owed}: {payers}.",
    ]
    if report.unpaid_usd > 0.0:
        said.append(f"{compact(report.unpaid_usd)} USD is paid by nobody.")
    if report.settled:
        said.append(f"Nothing moves any more after {duration(report.lasted_s)}, {report.rounds:,} rounds.")
    else:
        said.append(f"No fixed point was found in {report.rounds:,} rounds: the figures are those of the last one.")
    return tuple(said)


def account_words(one: AccountCascade) -> str:
    """What became of one account."""
    if one.failed_s is not None:
        return f"fails after {duration(one.failed_s)}"
    return "stays" if one.first_s is None else f"sells after {duration(one.first_s)}"


def notes(report: CascadeReport) -> tuple[str, ...]:
    """What the figures rest on."""
    crowd = (
        f"{report.made_up:,} accounts are made up (seed {report.seed})" if report.made_up else "No account is made up"
    )
    said = [
        f"{crowd}. In the cascade all accounts are linear in the price of each coin.",
        "Equity and margin of the book are by full revaluation at the last prices, nothing sold.",
        "The shock comes at once; what is sold moves prices for good, by Y·σ·√(q/volume) of a market thinned by it.",
    ]
    if report.left_out:
        said.append(f"Not moved, for they are no coins that say how they trade: {', '.join(report.left_out)}.")
    return tuple(said)
