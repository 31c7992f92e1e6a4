"""Forecasts and reverse stress as self-contained pages."""

from __future__ import annotations

from functools import partial

from crossmargin.cli.outlook import plots
from crossmargin.cli.outlook.predicted import call_text, predicted_card
from crossmargin.cli.outlook.tables import POSITIONS_SHOWN, distance_cells
from crossmargin.cli.outlook.words import forecast_words, odds, reverse_words, shock_words
from crossmargin.cli.report.charts import Bar, signed_bars
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    columns_of,
    document,
    figure,
    grid,
    header,
    summary,
    table,
    tiles,
)
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.sampling import sampling_notes
from crossmargin.cli.wording import Column, days, label_text, named, percent, usd
from crossmargin.engine.outlook.forecast import PREDICTOR, ForecastReport
from crossmargin.engine.outlook.reverse import ReverseLine, ReverseReport


def forecast_page(report: ForecastReport) -> str:
    """Where the account will stand: chances, spreads, quantiles and every outcome."""
    entries = (
        Tile("Initial margin now", usd(report.initial_usd), "USD"),
        Tile(f"In {days(report.horizon_days)}, 95 %", usd(_initial(report, 0.95)), "not above, USD"),
        _call_tile(report),
        _chance("Chance of liquidation", report.liquidation_chance, report.liquidation_chance_error, report),
    )
    top = join(
        (
            header("forecast", report.account, None, report.provenance),
            tiles(entries),
            summary(forecast_words(report)),
        )
    )
    sections = [
        Section("spread", f"Where it stands in {days(report.horizon_days)}", _spread(report)),
        *_predicted(report),
        Section("outcomes", "What happens in each outcome", _outcomes(report)),
    ]
    return document(f"{report.account} · forecast", top, sections, report.provenance)


def _predicted(report: ForecastReport) -> list[Section]:
    """The section of the predictor, where there is one."""
    if report.foretold is None:
        return []
    return [Section("predicted", "What was learnt from the past", predicted_card(report))]


def _call_tile(report: ForecastReport) -> Tile:
    """The chance of a call by whoever is used."""
    said, answer = report.foretold, report.answer
    if said is not None and answer is not None and answer.calls_by == PREDICTOR:
        return Tile("Chance of a call", call_text(said), "by the predictor")
    return _chance("Chance of a call", report.call_chance, report.call_chance_error, report)


def _chance(what: str, chance: float, error: float, report: ForecastReport) -> Tile:
    note = f"± {percent(error)}" if error else f"of {named(len(report.outcomes), 'outcome')}"
    return Tile(what, percent(chance), note)


def _initial(report: ForecastReport, level: float) -> float:
    return next(q.initial_usd for q in report.quantiles if q.level == level)


def _spread(report: ForecastReport) -> Markup:
    excess = [o.equity_usd - o.initial_usd for o in report.outcomes]
    draw = partial(plots.spread_bars, "excess over initial margin", excess, report.equity_usd - report.initial_usd)
    note = "Equity less initial margin; below zero is a call."
    left = figure("Excess", note, partial(draw, edge=True), _quantiles(report))
    needed = [o.initial_usd for o in report.outcomes]
    draw = partial(plots.spread_bars, "initial margin", needed, report.initial_usd)
    right = figure(
        "Requirement", "Prices move, the volatility forecast follows, and the account is margined again.", draw
    )
    columns = (Column("for a chance of a call of"), Column("cash to post now, USD"))
    posted = table(
        "What to post", columns, [[percent(p.chance), usd(p.amount_usd)] for p in (report.answer or report).postings]
    )
    notes = join(element("p", text, class_="note") for text in sampling_notes(report.provenance.sampling))
    return join((grid(left, right), card(join((posted, notes)))))


def _quantiles(report: ForecastReport) -> Markup:
    columns = (Column("probability"), Column("initial margin, USD"), Column("excess, USD"))
    rows = [[percent(q.level), usd(q.initial_usd), usd(q.excess_usd)] for q in report.quantiles]
    return table("Not above, with this probability", columns, rows, shown=False)


def _outcomes(report: ForecastReport) -> Markup:
    headings = ("P&L, USD", "equity then", "initial then", "excess then")
    columns = (Column("scenario", words=True), *map(Column, headings))
    rows = [
        [label_text(o.label), *map(usd, (o.pnl_usd, o.equity_usd, o.initial_usd, o.equity_usd - o.initial_usd))]
        for o in report.outcomes
    ]
    return card(table("Outcomes from the worst P&L to the best, all equally likely", columns, rows))


def reverse_page(report: ReverseReport) -> str:
    """What it takes to exhaust the account: distances, the way there, moves by factor, and who loses."""
    reached = [line for line in report.lines if line.moves]
    top = join(
        (
            header("reverse stress", report.account, None, report.provenance),
            tiles(_tiles(report)),
            summary(reverse_words(report)),
        )
    )
    sections = [Section("distance", "How far it is", _distances(report, reached))]
    sections += [
        Section(f"move-{i + 1}", f"What costs the {line.exhausts}", _line(line)) for i, line in enumerate(reached)
    ]
    return document(f"{report.account} · reverse stress", top, sections, report.provenance)


def _tiles(report: ReverseReport) -> list[Tile]:
    found = []
    for line in report.lines:
        far = f"over {report.farthest:g}" if line.deviations is None else f"{line.deviations:.1f}"
        note = "standard deviations" if line.probability is None else f"deviations, {odds(line.probability)} if normal"
        found.append(Tile(f"To lose {usd(line.target_usd)} USD ({line.exhausts})", far, note))
    return found


def _distances(report: ReverseReport, reached: list[ReverseLine]) -> Markup:
    with_past = any(line.past is not None for line in report.lines)
    headings = ("USD", "deviations", "chance if normal", *(("moved as far", "lost as much") if with_past else ()))
    columns = (Column("what it costs", words=True), *map(Column, headings))
    cells = [distance_cells(line, report, with_past=with_past) for line in report.lines]
    made = card(table("Distance and chance of each target", columns, cells))
    if not reached:
        return made
    note = "Each way is straight in the joint distribution, and ends where the target is lost."
    return grid(figure("The way there", note, partial(plots.way_down, reached)), made)


def _line(line: ReverseLine) -> Markup:
    columns = (Column("factor", words=True), Column("move"), Column("own deviations"))
    rows = [[m.factor, shock_words(m), label_text(f"{m.deviations:+.2f}")] for m in line.moves]
    numbers = table("Moves by factor", columns, rows, shown=False)
    note = "Length: the factor's own standard deviations. Figure: the move."
    moves = figure("Moves by factor", note, partial(plots.move_bars, line.exhausts, line.moves), numbers)
    shown = line.positions[:POSITIONS_SHOWN]
    bars = [Bar(p.instrument, p.pnl_usd) for p in shown]
    held = (Column("position or holding", words=True), Column("P&L, USD"))
    rows = [[p.instrument, usd(p.pnl_usd)] for p in line.positions]
    numbers = table("P&L by position and holding", held, rows, shown=False)
    note = f"The {len(shown)} that lose most of {len(line.positions)}, before haircuts."
    losers = figure("Who loses", note, partial(signed_bars, "P&L by position in the move", bars), numbers)
    return columns_of(moves, losers)
