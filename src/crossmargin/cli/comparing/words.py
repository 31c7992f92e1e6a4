"""A comparison of rulebooks in words and rows: the same for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crossmargin.cli.wording import Column, label_text, named, percent, usd
from crossmargin.engine.compare import CompareReport, Comparison
from crossmargin.engine.comparing.cheapest import Assignment, GroupOffers
from crossmargin.engine.comparing.split import SplitPiece, SplitReport

GRAIN_WORDS: Final = {"instrument": "instrument", "expiry": "underlying and expiry", "underlying": "underlying"}
ASKED: Final = (
    Column("rulebook", words=True),
    Column("initial USD"),
    Column("maintenance"),
    Column("equity"),
    Column("excess"),
    Column("left out"),
    Column("certainty", words=True),
    Column("binding, worst scenario", words=True),
)
NETTED: Final = (
    Column("rulebook", words=True),
    Column("parameters of", words=True),
    Column("alone USD"),
    Column("together"),
    Column("saved"),
    Column("saved, part"),
    Column("crossmargin"),
)
CHEAPEST: Final = (
    Column("group", words=True),
    Column("cheapest", words=True),
    Column("initial USD"),
    Column("certainty", words=True),
    Column("next", words=True),
    Column("offers"),
    Column("crossmargin"),
)
PIECES: Final = (
    Column("held at", words=True),
    Column("rulebook", words=True),
    Column("positions"),
    Column("initial USD"),
    Column("maintenance"),
    Column("equity"),
    Column("left out"),
    Column("certainty", words=True),
)


def money(value: float | None) -> str:
    """USD, or nothing where there is no number."""
    return "" if value is None else usd(value)


def is_whole(row: Comparison) -> bool:
    """Whether a rulebook margins every position and order."""
    return row.initial_usd is not None and not row.left_out


def margined(report: CompareReport) -> list[Comparison]:
    """Rulebooks that margin a position or an order of the account, or all of them where it has neither."""
    return [r for r in report.rows if r.initial_usd is not None and (r.left_out < report.lines or not report.lines)]


def summary_sentences(report: CompareReport) -> list[str]:
    """The comparison in a few sentences."""
    lines = f"{report.lines:,} positions and orders"
    complete = [r for r in report.rows if is_whole(r)]
    sentences = [
        f"Crossmargin nets all of {report.account}, {lines}, to {usd(report.initial_usd)} USD of initial margin."
    ]
    if complete:
        least = complete[0]
        verb = "margin" if len(complete) > 1 else "margins"
        sentences.append(
            f"{len(complete)} of {named(len(report.rows), 'rulebook')} {verb} the whole account; the least is "
            f"{usd(least.initial_usd or 0.0)} USD by {least.rulebook} ({least.certainty})."
        )
    else:
        sentences.append(
            f"None of {named(len(report.rows), 'rulebook')} margins the whole account: each leaves something out, "
            "so their numbers stand beside what Crossmargin asks for the same positions."
        )
    grain, alone = GRAIN_WORDS[report.grain], usd(report.alone_usd)
    sentences.append(
        f"By {grain}, each alone, it would ask {alone} USD: {_saved(report.saving_usd, report.alone_usd)}."
    )
    return sentences


def _saved(saving: float, alone: float) -> str:
    if saving < 0.0:
        return f"together they ask {usd(-saving)} USD more"
    return f"netting saves {percent(saving / alone if alone else 0.0)}"


def asked_rows(report: CompareReport) -> list[list[str]]:
    """What each rulebook asks, Crossmargin's own model first."""
    own = [
        report.provenance.model.partition("@")[0],
        *map(usd, (report.initial_usd, report.maintenance_usd, report.equity_usd, report.excess_usd)),
        "0",
        "",
        _why(report.binding, report.worst_scenario),
    ]
    rows = [
        [
            row.rulebook,
            *map(money, (row.initial_usd, row.maintenance_usd, row.equity_usd, row.excess_usd)),
            f"{row.left_out}",
            row.certainty,
            _why(row.binding, row.worst_scenario),
        ]
        for row in margined(report)
    ]
    return [own, *rows]


def _why(binding: str, worst: str) -> str:
    return ": ".join(label_text(text) for text in (binding, worst) if text)


def netted_rows(report: CompareReport) -> list[list[str]]:
    """Parts alone against together, by rulebook; Crossmargin's own first."""
    name, _, date = report.provenance.model.partition("@")
    own = _netted(name, date, report.alone_usd, report.initial_usd, report.saving_usd, report.initial_usd)
    return [
        own,
        *(
            _netted(r.rulebook, r.date, r.alone_usd, r.initial_usd, r.saving_usd, r.own_initial_usd)
            for r in margined(report)
        ),
    ]


def _netted(
    name: str, date: str, alone: float | None, together: float | None, saving: float | None, own: float | None
) -> list[str]:
    part = percent(saving / alone) if alone and saving is not None else ""
    return [name, date, money(alone), money(together), money(saving), part, money(own)]


def cheapest_rows(groups: Sequence[GroupOffers]) -> list[list[str]]:
    """The two least offers on each group; ties share a cell."""
    return [_cheapest(group) for group in groups]


def _cheapest(group: GroupOffers) -> list[str]:
    takers, own = f"{len(group.offers)}", usd(group.own_initial_usd)
    if not group.offers:
        return [group.group, "none takes it whole", "", "", "", takers, own]
    first = group.offers[0]
    ties = [o for o in group.offers if round(o.initial_usd - first.initial_usd, 2) == 0.0]
    rest = group.offers[len(ties) :]
    more = f" and {len(ties) - 1} more" if ties[1:] else ""
    following = f"{rest[0].rulebook} {usd(rest[0].initial_usd)}" if rest else ""
    return [group.group, first.rulebook + more, usd(first.initial_usd), first.certainty, following, takers, own]


def assignment_sentences(found: Assignment) -> list[str]:
    """The cheapest way to hold whole underlyings, and how far it was searched."""
    if not found.places:
        return ["No rulebook takes an underlying of this account whole."]
    places = [
        f"{', '.join(p.groups)} under {p.rulebook} ({usd(p.initial_usd)} USD, {p.certainty})" for p in found.places
    ]
    searched = (
        "every way to part the underlyings over the rulebooks was compared"
        if found.is_exact
        else "each underlying stands where it is cheapest alone, which others may undercut together"
    )
    left = f" No rulebook takes {', '.join(found.unplaced)} whole." if found.unplaced else ""
    return [f"The least sum is {usd(found.initial_usd)} USD: {'; '.join(places)}.", f"Searched: {searched}.{left}"]


def piece_rows(split: SplitReport) -> list[list[str]]:
    """The pieces, and their sum as the last row."""
    rows = [_piece(piece) for piece in split.pieces]
    positions = f"{sum(p.positions for p in split.pieces)}"
    total = [usd(split.initial_usd), usd(split.maintenance_usd)]
    return [*rows, ["all pieces", "", positions, *total, "", "", ""]]


def _piece(piece: SplitPiece) -> list[str]:
    figures = map(money, (piece.initial_usd, piece.maintenance_usd, piece.equity_usd))
    left = f"{sum(not name.startswith('collateral ') for name in piece.refused)}" if piece.certainty else "all"
    return [piece.venue, piece.rulebook or "none", f"{piece.positions}", *figures, left, piece.certainty or ""]


def split_sentences(split: SplitReport) -> list[str]:
    """The pieces against the netted number, and what is in neither."""
    difference = split.initial_usd - split.netted_initial_usd
    verb = "frees" if difference >= 0.0 else "would take"
    whole = "all positions" if split.is_whole else "the positions that the pieces margin"
    netted = usd(split.netted_initial_usd)
    part = f" ({percent(abs(difference) / split.initial_usd)})" if split.initial_usd else ""
    sentences = [
        f"Held in pieces, {whole} take {usd(split.initial_usd)} USD of initial margin.",
        f"Netted, Crossmargin asks {netted} USD: netting {verb} {usd(abs(difference))} USD{part}.",
    ]
    sentences += [f"{p.venue}: {p.error}." for p in split.pieces if p.error]
    sentences += [f"{p.venue}: {p.rulebook} leaves out {', '.join(p.refused)}." for p in split.pieces if p.refused]
    if split.unplaced:
        sentences.append(
            f"Nothing says at which venue {', '.join(split.unplaced)} are held, {usd(split.unplaced_usd)} USD before "
            "haircuts: they are in no piece's equity. --venue CHAIN=ID ties a chain to the rulebook of a venue."
        )
    return sentences


def refusals(report: CompareReport) -> list[str]:
    """Rulebooks that list nothing of the account, and those without any number."""
    shown = {row.rulebook for row in margined(report)}
    strangers = [row.rulebook for row in report.rows if row.rulebook not in shown and not row.error]
    none = [f"List none of the positions: {', '.join(strangers)}."] if strangers else []
    return none + [f"{row.rulebook}: {row.error}." for row in report.rows if row.error]
