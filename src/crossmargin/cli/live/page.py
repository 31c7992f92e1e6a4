"""A reading of live chains as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from crossmargin.cli.failures.words import duration
from crossmargin.cli.live.chart import balance_bars
from crossmargin.cli.live.report import BalanceRow, ReadReport, VaultRow
from crossmargin.cli.live.words import BALANCES, PENDING, about, balance_row, doubts, left_out, pending_row, verdict
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    closing,
    figure,
    framed,
    grid,
    summary,
    table,
    tiles,
    warned,
)
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, chain_name, moment, named
from crossmargin.core.finality import HealthName

BARS_SHOWN: Final = 12
_PILLS: Final[dict[HealthName, tuple[str, str]]] = {"healthy": ("healthy", "●"), "lagging": ("restricted", "▲")}
_BAD: Final = ("liquidation", "■")
_VAULTS: Final = (
    *(Column(name, words=True) for name in ("vault", "token", "health", "trust")),
    *map(Column, ("final block", "age", "head", "learnt")),
    Column("journal", words=True),
)
_AGREED: Final = tuple(Column(name, words=True) for name in ("chain", "needed", "named the final block", "left out"))


def read_page(report: ReadReport) -> str:
    """How each chain does, what each account has there and by what it is known, and who was left out and why."""
    top = join((_header(report), summary((verdict(report), *about(report))), warned(doubts(report)), _tiles(report)))
    sections = [Section("balances", "Balances", _balances(report))]
    if report.pending:
        sections.append(Section("pending", "Above the final block", card(_pending(report))))
    sections.append(Section("chains", "Chains and vaults", card(_vaults(report))))
    sections.append(Section("agreement", "Who says so", card(_agreement(report))))
    blocks = {f"{chain_name(row.chain)} {row.block}": row.block_hash for row in report.vaults}
    note = "Final blocks in which balances were read. Amounts in whole tokens; the JSON of this report has every digit."
    return framed("Live chains", top, sections, closing((("As of", moment(report.as_of_ms)), *blocks.items()), note))


def _header(report: ReadReport) -> Markup:
    word = _pill(("healthy", "●"), "proven") if report.good else _pill(_BAD, "look again")
    told = f"{named(len(report.vaults), 'vault')} on {named(len(_chains(report)), 'chain')}"
    return element(
        "header",
        element("p", "Crossmargin · live chains", class_="kind"),
        element("h1", element("span", told), " ", word),
        element("p", moment(report.as_of_ms), class_="when"),
    )


def _chains(report: ReadReport) -> dict[str, VaultRow]:
    """The worst vault of each chain."""
    order = ["healthy", "lagging", "halted", "forked", "governed"]
    found: dict[str, VaultRow] = {}
    for row in report.vaults:
        known = found.get(row.chain)
        if known is None or (row.proven, -order.index(row.health)) < (known.proven, -order.index(known.health)):
            found[row.chain] = row
    return found


def _tiles(report: ReadReport) -> Markup:
    """How each chain does, what moved above the final blocks, and whose word was not taken."""
    silent = [name for _, name in left_out(report)]
    lost = sum(len(row.unarchived) for row in report.vaults)
    kept = f"by receipt; {named(lost, 'block')} without proof" if lost else "proven by receipt"
    return tiles(
        (
            *(_tile(row) for row in _chains(report).values()),
            Tile("Moved since", named(len(report.pending), "event"), kept if report.pending or lost else ""),
            Tile("Left out", named(len(silent), "endpoint"), ", ".join(silent[:4])),
        )
    )


def _tile(row: VaultRow) -> Tile:
    word = row.health if row.proven else f"{row.health}, not proven"
    told = f"final block {row.block}, {duration(row.final_age_s)} old; {len(row.operators)} of {row.asked} agree"
    good = row.proven and row.health == "healthy"
    return Tile(chain_name(row.chain), word, told, "" if good else "short")


def _balances(report: ReadReport) -> Markup:
    """A drawing for each token that somebody has, and all balances."""
    by_token: dict[str, list[BalanceRow]] = {}
    for row in report.balances:
        if any(float(amount) for amount in (row.final, row.debits, row.pending)):
            by_token.setdefault(row.symbol, []).append(row)
    drawn = [_drawn(symbol, rows) for symbol, rows in by_token.items()]
    shown = card(table("Balances in the vaults, whole tokens", BALANCES, map(balance_row, report.balances)))
    words = (
        "Final less debits counts; pending credits count in part, as the market's rules say. Proven is what the slot"
    )
    note = element("p", f"{words} of the owner holds in the final block.", class_="note")
    return join((grid(*drawn) if drawn else Markup(""), shown, note))


def _drawn(symbol: str, rows: Sequence[BalanceRow]) -> Markup:
    largest = sorted(rows, key=lambda row: -max(float(row.final) + float(row.pending), -float(row.debits)))[:BARS_SHOWN]
    others = len(rows) - len(largest)
    rest = f" {named(others, 'smaller balance')} in the table alone." if others else ""
    return figure(f"{symbol} by chain", f"The figure is what counts.{rest}", partial(balance_bars, largest))


def _pending(report: ReadReport) -> Markup:
    words = "A receipt binds each to its block; whether the block becomes final is not known yet."
    told = element("p", words, *(_kept() if report.files else ()), class_="note")
    return join((table("What moved since", PENDING, map(pending_row, report.pending)), told))


def _kept() -> tuple[Markup, ...]:
    command = element("code", "crossmargin chains check")
    return (join((" proofs.json keeps the evidence, and ", command, " holds it against blocks that you know.")),)


def _vaults(report: ReadReport) -> Markup:
    return table("Vaults as they were found", _VAULTS, map(_vault, report.vaults))


def _vault(row: VaultRow) -> tuple[str, ...]:
    return (
        row.vault,
        row.symbol,
        _pill(_PILLS.get(row.health, _BAD), row.health),
        f"{row.trust}{'' if row.proven else ', not proven'}",
        str(row.block),
        duration(row.final_age_s),
        str(row.head),
        str(row.blocks),
        "resumed" if row.resumed else "begun now",
    )


def _agreement(report: ReadReport) -> Markup:
    """By chain: how many operators must agree, who did, and which endpoint was left out and why."""
    rows = []
    for chain, row in _chains(report).items():
        silent = {name: why for (at, name), why in left_out(report).items() if at == chain}
        out = join(element("div", element("b", name), f": {why}") for name, why in silent.items())
        named_by = ", ".join(row.operators) or "nobody"
        rows.append((chain_name(chain), f"{row.agree} of {row.asked}", named_by, out or "nobody"))
    return table("Operators who named the final block, and endpoints without a say", _AGREED, rows)


def _pill(look: tuple[str, str], word: str) -> Markup:
    style, sign = look
    return element("span", f"{sign} {word}", class_=f"pill {style}")
