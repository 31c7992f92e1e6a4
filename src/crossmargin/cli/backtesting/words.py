"""What a backtest says, in words and cells, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from crossmargin.cli.wording import Column, named, percent, usd
from crossmargin.validation.evidence.documents import (
    AccountLine,
    BacktestReport,
    FrontierLine,
    Group,
    ModelEvidence,
    Scores,
    Spread,
    Target,
)

UNKNOWN: Final = "–"
OUT_OF_MEASURE: Final = 1e3

CHALLENGERS: Final = (
    Column("model", words=True),
    Column("coverage"),
    Column("worst window"),
    Column("p, too many"),
    Column("POF / CC low"),
    Column("L/M"),
    Column("worst L/M"),
    Column("+1"),
    Column("+5"),
    Column("+10 dates"),
    Column("peak/trough − 1"),
    Column("cost"),
)
COVERED: Final = CHALLENGERS[:7]
MOVED: Final = (CHALLENGERS[0], *CHALLENGERS[7:])
GROUPS: Final = (
    Column("part", words=True),
    Column("accounts"),
    Column("dates"),
    Column("coverage"),
    Column("p, too many"),
    Column("worst L/M"),
    Column("+5 dates"),
    Column("peak/trough − 1"),
    Column("cost"),
)
TARGETS: Final = (Column("target", words=True), Column("found"), Column("asked"), Column("met", words=True))
SCORES: Final = (
    Column("model", words=True),
    Column("FZ0"),
    Column("pinball, USD"),
    Column("VaR coverage"),
    Column("DM"),
    Column("DM p"),
    Column("set p"),
    Column("in the set", words=True),
)
FRONTIER: Final = (
    Column("stressed weight"),
    Column("floor"),
    Column("decay"),
    Column("coverage"),
    Column("worst window"),
    Column("worst L/M"),
    Column("+5 dates"),
    Column("peak/trough − 1"),
    Column("cost"),
    Column("", words=True),
)
TESTS: Final = ("pof", "cc", "tuff", "tbfi", "dq", "z1", "z2", "residuals", "berkowitz_tail", "berkowitz")
ACCOUNTS: Final = (
    Column("account", words=True),
    Column("coverage"),
    Column("zone", words=True),
    Column("worst L/M"),
    Column("+5 dates"),
    Column("cost"),
    *(Column(name.replace("_", " ")) for name in TESTS),
)


def challenger_rows(report: BacktestReport) -> list[list[str]]:
    """One row a model: all accounts over all dates; of accounts the middle one and, after a slash, the worst."""
    return [_challenger(model) for model in report.models]


def _challenger(model: ModelEvidence) -> list[str]:
    w = model.whole
    return [
        model.model,
        covered(w.coverage),
        least_coverage(model.windows),
        p_value(w.too_many_p),
        f"{w.pof_low} / {w.cc_low}",
        share(w.loss_to_margin),
        share(w.loss_to_margin_max),
        spread(w.rise_1),
        spread(w.rise_5),
        spread(w.rise_10),
        spread(w.peak_to_trough),
        times(w.cost_ratio),
    ]


def group_rows(groups: Iterable[Group]) -> list[list[str]]:
    """One row a part of the accounts or dates."""
    return [
        [
            g.name,
            f"{g.accounts:,}",
            f"{g.dates:,}",
            covered(g.coverage),
            p_value(g.too_many_p),
            share(g.loss_to_margin_max),
            spread(g.rise_5),
            spread(g.peak_to_trough),
            times(g.cost_ratio),
        ]
        for g in groups
    ]


def covered_rows(report: BacktestReport) -> list[list[str]]:
    """The first half of `challenger_rows`, where it is narrow."""
    return [row[:7] for row in challenger_rows(report)]


def moved_rows(report: BacktestReport) -> list[list[str]]:
    """The second half of `challenger_rows`."""
    return [[row[0], *row[7:]] for row in challenger_rows(report)]


def window_columns(models: Sequence[ModelEvidence]) -> tuple[Column, ...]:
    """The windows and periods that were tested, and models."""
    return (Column("margin set", words=True), *(Column(m.model) for m in models))


def window_rows(models: Sequence[ModelEvidence]) -> list[list[str]]:
    """The coverage of each model in each window and period; blank where a model was still learning."""
    found = [{g.name: covered(g.coverage) for g in _spans(m)} for m in models]
    names = max(found, key=len)
    return [[name, *(one.get(name, "") for one in found)] for name in names]


def disclosed_rows(models: Iterable[ModelEvidence]) -> list[list[str]]:
    """Items of Principle 6 by model."""
    return [
        [
            m.model,
            f"{m.disclosed.exceptions:,}",
            f"{m.disclosed.observations:,}",
            covered(m.disclosed.achieved_coverage),
            usd(m.disclosed.peak_uncovered_exposure),
            usd(m.disclosed.average_uncovered_exposure),
        ]
        for m in models
    ]


def _spans(model: ModelEvidence) -> tuple[Group, ...]:
    return (*model.windows, *model.periods)


def target_rows(report: BacktestReport) -> list[list[str]]:
    """What the default should reach."""
    return [
        [t.name, _target(t.value), f"{'≥' if t.at_least else '≤'} {_target(t.limit)}", _met(t)] for t in report.targets
    ]


def _target(value: float | None) -> str:
    return UNKNOWN if value is None else percent(value, digits=2)


def _met(target: Target) -> str:
    return UNKNOWN if target.met is None else "yes" if target.met else "no"


def score_rows(scores: Scores) -> list[list[str]]:
    """Models by their score over one period."""
    return [
        [
            line.model,
            f"{line.fz0:.4f}",
            usd(line.pinball_usd),
            covered(line.coverage),
            UNKNOWN if line.against is None else f"{line.against:+.2f}".replace("-", "−"),
            p_value(line.against_p),
            p_value(line.set_p),
            "yes" if line.kept else "",
        ]
        for line in scores.lines
    ]


def frontier_rows(lines: Sequence[FrontierLine]) -> list[list[str]]:
    """One row a choice of tools, by cost."""
    return [
        [
            percent(f.stressed_weight),
            f"{f.floor:g}",
            f"{f.decay:g}",
            covered(f.coverage),
            UNKNOWN if f.crisis_coverage is None else covered(f.crisis_coverage),
            share(f.loss_to_margin_max),
            spread(f.rise_5),
            spread(f.peak_to_trough),
            times(f.cost_ratio),
            "default" if f.is_default else "",
        ]
        for f in sorted(lines, key=lambda f: f.cost_ratio or 0.0)
    ]


def account_rows(lines: Iterable[AccountLine]) -> list[list[str]]:
    """One row an account: its figures, and the p-value of every test."""
    return [
        [
            line.account,
            covered(line.coverage),
            line.zone,
            share(line.loss_to_margin_max),
            share(line.rise_5),
            times(line.cost_ratio),
            *(p_value(line.tests[t].p_value) if t in line.tests else "" for t in TESTS),
        ]
        for line in lines
    ]


def summary_sentences(report: BacktestReport) -> list[str]:
    """The report in one paragraph."""
    lead, base = report.models[0], _model(report, report.baseline)
    whole, worst = lead.whole, min(lead.windows, key=lambda g: g.coverage, default=None)
    plain = covered(base.whole.coverage)
    first = (
        f"{lead.model} covered {covered(whole.coverage)} of {whole.observations:,} outcomes of "
        f"{named(whole.accounts, 'account')} over {named(whole.dates, 'date')}, asking for {times(whole.cost_ratio)} "
        f"what {base.model} asks, which covered {plain}."
    )
    said = [first]
    if worst is not None:
        least = covered(worst.coverage)
        said.append(f"In the worst of the crisis windows, {worst.name}, it covered {least}.")
    unmet = [t.name for t in report.targets if t.met is False]
    met = len([t for t in report.targets if t.met])
    said.append(
        f"{met} of {len(report.targets)} targets are met" + (f"; not met: {'; '.join(unmet)}." if unmet else ".")
    )
    said.append(
        f"The choice of {lead.model} was fixed before {report.unseen_from}; what came from then on is shown apart."
    )
    return said


def method_sentences(report: BacktestReport) -> list[str]:
    """How it was made."""
    made = (
        f"Margin is set before each move over {report.horizon_days:g} days and judged by it; horizons do not overlap. "
        "Each model knew only what had happened by then, is refitted on it, and margins the same static portfolios: "
        "the part of a requirement that answers for market moves, without liquidity and other terms."
    )
    rate = percent(report.rate, digits=2)
    read = (
        f"Exceptions are losses beyond margin, nominally on {rate} of dates; L/M is their loss over margin. “p, too "
        "many” is the chance of as many or more, dates being what is counted; POF and CC low are accounts that "
        "Kupiec's or Christoffersen's test rejects at 5 % for too many. Of rises and peaks the middle account and, "
        f"after the slash, the worst is shown; cost is the sum of margins over that of {report.baseline}."
    )
    return [made, read, *_warm_up_sentences(report)]


def _warm_up_sentences(report: BacktestReport) -> Iterator[str]:
    """On how many dates a model that learns is not judged."""
    for m in report.models:
        if m.warm_up_dates:
            yield (
                f"{m.model} is judged on {named(m.whole.dates, 'date')} of {m.warm_up_dates + m.whole.dates:,}: on the "
                f"first {m.warm_up_dates:,} it was still learning, and they are in none of its figures."
            )


def left_out_sentences(report: BacktestReport) -> list[str]:
    """Models that could not be run."""
    return [f"{name} is left out: {reason}" for name, reason in report.left_out.items()]


def out_of_measure_sentences(report: BacktestReport) -> list[str]:
    """Models whose margins have lost all measure, in words."""
    return [_out_of_measure(m, report.baseline) for m in report.models if (m.whole.cost_ratio or 0.0) > OUT_OF_MEASURE]


def _out_of_measure(model: ModelEvidence, baseline: str) -> str:
    most = max(model.accounts, key=lambda line: line.cost_ratio or 0.0)
    return (
        f"{model.model} explodes: it asks for {model.whole.cost_ratio:,.0f} times what {baseline} asks, most of all "
        f"for {most.account}. No price moves so: where a shock that raised a volatility is one of the residuals, the "
        "product of the two is taken for a logarithm. Its cost, rises and peaks are no figures of a margin."
    )


def least_coverage(groups: Sequence[Group]) -> str:
    """The coverage of the worst of some windows."""
    return covered(min(g.coverage for g in groups)) if groups else UNKNOWN


def spread(found: Spread | None) -> str:
    """The middle account and the worst."""
    return UNKNOWN if found is None else f"{share(found.median)} / {share(found.greatest)}"


def covered(value: float) -> str:
    """A coverage to the hundredth of a percent."""
    return f"{100.0 * value:.2f} %"


def share(value: float | None) -> str:
    """A ratio in whole percent; as more than a thousandfold where a model has lost all measure."""
    if value is None:
        return UNKNOWN
    return percent(value, digits=0) if value <= OUT_OF_MEASURE else f"> {percent(OUT_OF_MEASURE, digits=0)}"


def times(value: float | None) -> str:
    """A multiple; as more than a thousand where a model has lost all measure."""
    if value is None:
        return UNKNOWN
    return f"{value:.2f} ×" if value <= OUT_OF_MEASURE else f"> {OUT_OF_MEASURE:,.0f} ×"


def p_value(value: float | None) -> str:
    """A p-value in three digits."""
    if value is None:
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _model(report: BacktestReport, name: str) -> ModelEvidence:
    return next(m for m in report.models if m.model == name)
