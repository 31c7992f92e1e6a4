"""A backtest as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from crossmargin.cli.backtesting import charts, words
from crossmargin.cli.cards.verdicts import VERDICTS, verdict_rows, verdict_sentences
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
from crossmargin.cli.wording import Column, percent
from crossmargin.engine.outlook.predictor import Adoption
from crossmargin.validation.evidence.documents import BacktestReport, ModelEvidence
from crossmargin.validation.evidence.report import COST_MAX, RISE_5_MAX


def backtest_page(report: BacktestReport) -> str:
    """How models covered what came: against each other, by window and family, at which cost, and date by date."""
    lead = report.models[0]
    top = join(
        (
            element(
                "header",
                element("p", "Crossmargin · backtest", class_="kind"),
                element("h1", element("span", lead.model)),
                element("p", _when(report), class_="when"),
            ),
            tiles(_tiles(report, lead)),
            summary(words.summary_sentences(report)),
            warned([*words.left_out_sentences(report), *words.out_of_measure_sentences(report)]),
        )
    )
    foot = closing(_entries(report), "The same hashes and options give the same figures. Amounts in USD.")
    return framed(f"{lead.model} · backtest", top, [*_sections(report, lead)], foot)


def _when(report: BacktestReport) -> str:
    span = f"{report.first[:10]} to {report.last[:10]}"
    return (
        f"{span} · horizon {report.horizon_days:g} d · nominal {percent(1.0 - report.rate, digits=2)} · {report.source}"
    )


def _tiles(report: BacktestReport, lead: ModelEvidence) -> list[Tile]:
    w = lead.whole
    entries = [
        Tile("Coverage", words.covered(w.coverage), f"{w.exceptions:,} exceptions of {w.observations:,}"),
        Tile("Worst crisis window", words.least_coverage(lead.windows), "coverage"),
    ]
    unseen = [g for g in lead.periods if g.name.startswith("from ")]
    entries += [Tile("Unseen when chosen", words.covered(g.coverage), g.name) for g in unseen]
    entries += [
        Tile("Rise over 5 dates", words.share(w.rise_5.median if w.rise_5 else None), "the most, middle account"),
        Tile("Cost", words.times(w.cost_ratio), f"of {report.baseline}"),
    ]
    return entries


def _sections(report: BacktestReport, lead: ModelEvidence) -> Iterator[Section]:
    yield Section("models", "Models against each other", _models(report))
    yield Section("targets", "What the default should reach", _targets(report))
    if report.frontier:
        yield Section("frontier", "Cost against procyclicality", _frontier(report))
    yield Section("windows", "Crisis windows, and before and after the choice", _windows(report, lead))
    yield Section("families", "By kind of portfolio", _families(report, lead))
    yield Section("paths", "Date by date", _paths(report, lead))
    if report.scores:
        yield Section("scores", "Who foresees the tail", _scores(report))
    if report.adoption is not None:
        yield Section("adoption", "Where the predictive margin is used", _adoption(report.adoption))
    yield Section("accounts", "Every account, and every test", _accounts(lead))
    yield Section("disclosed", "Disclosed figures", _disclosed(report))
    yield Section("method", "How it was made", card(summary(words.method_sentences(report))))


def _models(report: BacktestReport) -> Markup:
    draw = partial(charts.model_coverage, report.models, 1.0 - report.rate)
    note = "All accounts together. A ring is the period that was unseen when the default was chosen."
    made = table("Challengers", words.CHALLENGERS, words.challenger_rows(report))
    return join((grid(figure("Coverage", note, draw)), card(made)))


def _targets(report: BacktestReport) -> Markup:
    return card(table("Found and asked for", words.TARGETS, words.target_rows(report)))


def _frontier(report: BacktestReport) -> Markup:
    draw = partial(charts.frontier_plot, report.frontier, COST_MAX, RISE_5_MAX)
    note = (
        "Each point is the default recipe with another stressed weight, floor and decay; dashed lines are the most "
        "that is wanted. Worst of the crisis windows, middle account."
    )
    made = table("Every choice, by cost", words.FRONTIER, words.frontier_rows(report.frontier))
    return join((grid(figure("Less cost is left, less rise is down", note, draw)), card(made)))


def _windows(report: BacktestReport, lead: ModelEvidence) -> Markup:
    sources = [[w.name, w.start, w.end, w.source] for w in report.windows]
    columns = tuple(Column(name, words=True) for name in ("window", "from", "before", "source"))
    return join(
        (
            card(table("Coverage", words.window_columns(report.models), words.window_rows(report.models))),
            card(table(lead.model, words.GROUPS, words.group_rows((*lead.windows, *lead.periods)))),
            card(table("What the windows are", columns, sources)),
        )
    )


def _families(report: BacktestReport, lead: ModelEvidence) -> Markup:
    made = card(table(lead.model, words.GROUPS, words.group_rows((*lead.sides, *lead.families))))
    if not lead.families:
        return made
    base = next(model for model in report.models if model.model == report.baseline)
    draw = partial(charts.family_coverage, lead, base, 1.0 - report.rate)
    return join((grid(figure("Coverage by family", "Both sides of every portfolio.", draw)), made))


def _paths(report: BacktestReport, lead: ModelEvidence) -> Markup:
    note = "Bars are losses over the horizon, lines the margin set before, dots losses beyond the default's margin."
    drawn = (figure(p.account, "", partial(charts.margin_path, p, lead.model)) for p in report.paths)
    return join((element("p", note, class_="note"), grid(*drawn)))


def _scores(report: BacktestReport) -> Markup:
    note = (
        "Lower is better. DM is Diebold and Mariano's statistic of FZ0 against the baseline, negative where the model "
        "is better; the set holds the best model with 90 % confidence. A model that is held against procyclicality "
        "asks for more than the tail on purpose, and scores worse for it."
    )
    made = (
        card(table(f"{s.period}, {s.accounts} accounts, {s.dates:,} dates", words.SCORES, words.score_rows(s)))
        for s in report.scores
    )
    return join((element("p", note, class_="note"), *made))


def _adoption(found: Adoption) -> Markup:
    return join((card(summary(verdict_sentences(found))), card(table(found.rule, VERDICTS, verdict_rows(found)))))


def _accounts(lead: ModelEvidence) -> Markup:
    note = "P-values; tests of the forecast itself are of the first account of each family and side."
    made = table(lead.model, words.ACCOUNTS, words.account_rows(lead.accounts))
    return join((element("p", note, class_="note"), card(made)))


def _disclosed(report: BacktestReport) -> Markup:
    heads = ("model", "6.5.2 exceptions", "6.5.3 observations", "6.5.4 coverage", "6.5.5 peak", "6.5.6 average")
    columns = tuple(Column(name, words=i == 0) for i, name in enumerate(heads))
    made = table("Items of Principle 6, the latest twelve months", columns, words.disclosed_rows(report.models))
    return card(made)


def _entries(report: BacktestReport) -> list[tuple[str, str]]:
    return [
        ("History", f"{report.source} {report.history_hash}"),
        ("Book", report.book_hash),
        ("Models", "; ".join(f"{m.model}: {m.rule}" for m in report.models)),
        ("Chosen before", report.unseen_from),
        ("Code", f"Crossmargin {report.version}"),
    ]
