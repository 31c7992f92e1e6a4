"""Forecasts and reverse stress in sentences and cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crossmargin.cli.outlook.predicted import predicted_words
from crossmargin.cli.wording import days, label_text, named, percent, usd
from crossmargin.engine.outlook.forecast import ForecastReport, Quantile
from crossmargin.engine.outlook.reverse import FactorMove, Past, ReverseLine, ReverseReport
from crossmargin.scenarios.factors import RELATIVE_KINDS

MOVES_TOLD: Final = 4
_CONFIDENCE: Final = 0.95
_SHORT: Final = {"maintenance margin": "MM", "initial margin": "IM", "all collateral": "all it has"}


def forecast_words(report: ForecastReport) -> tuple[str, ...]:
    """Where the account will stand, how likely a call is, and what would make it unlikely."""
    low, high = _band(report)
    now = f"{usd(report.initial_usd)} USD of initial margin now and has {usd(report.equity_usd)} USD"
    needed = f"{usd(low.initial_usd)} and {usd(high.initial_usd)} USD"
    left = f"{usd(low.excess_usd)} and {usd(high.excess_usd)} USD"
    over = f"In {days(report.horizon_days)} nine outcomes in ten"
    return (
        f"{report.account} must hold {now}.",
        f"{over} need between {needed}, and leave an excess between {left}.",
        chance_words("a call (equity below initial margin)", report.call_chance, report.call_chance_error, report),
        chance_words("liquidation", report.liquidation_chance, report.liquidation_chance_error, report),
        *_posting_words(report),
        *predicted_words(report),
    )


def _band(report: ForecastReport) -> tuple[Quantile, Quantile]:
    by_level = {q.level: q for q in report.quantiles}
    return by_level[0.05], by_level[0.95]


def chance_words(what: str, chance: float, error: float, report: ForecastReport) -> str:
    """A chance with its standard error; of none found, the chance that it is below with confidence (1 − 0.05^(1/n))."""
    count = len(report.outcomes)
    if chance == 0.0:
        bound = 1.0 - (1.0 - _CONFIDENCE) ** (1.0 / count)
        return f"None of {named(count, 'outcome')} brings {what}: its chance is below {percent(bound)}."
    if chance == 1.0:
        return f"All of {named(count, 'outcome')} bring {what}."
    return f"The chance of {what} is {percent(chance)} ± {percent(error)}."


def _posting_words(report: ForecastReport) -> Iterator[str]:
    postings = report.postings if report.answer is None else report.answer.postings
    needed = [p for p in postings if p.amount_usd > 0.0]
    for posting in needed:
        yield f"With {usd(posting.amount_usd)} USD posted now it is at most {percent(posting.chance)}."
    if not needed:
        chances = " or ".join(percent(p.chance) for p in postings)
        yield f"Nothing has to be posted now for a chance of at most {chances}."


def reverse_words(report: ReverseReport) -> tuple[str, ...]:
    """Each target in a sentence or two, and where the distances are from."""
    told = [sentence for line in report.lines for sentence in line_words(line, report)]
    return (*told, f"Distances are standard deviations over {days(report.horizon_days)}, from {source_words(report)}.")


def source_words(report: ReverseReport) -> str:
    """Where the joint distribution of the factors is from."""
    return label_text(report.source.replace("calibration: ", "the calibration to "))


def line_words(line: ReverseLine, report: ReverseReport) -> Iterator[str]:
    """What it takes to lose one target."""
    what = f"its {line.exhausts}" if line.exhausts != "all collateral" else "all that it has"
    cost = f"{report.account} {what} ({usd(line.target_usd)} USD)"
    if line.deviations is None:
        yield f"No move within {report.farthest:g} standard deviations costs {cost}."
        return
    if line.target_usd <= 0.0:
        yield f"There is nothing to lose before {report.account} has lost {what}: that is {usd(line.target_usd)} USD."
        return
    moves = ", ".join(f"{m.factor} {shock_words(m)}" for m in line.moves[:MOVES_TOLD])
    more = len(line.moves) - MOVES_TOLD
    others = f" and {named(more, 'smaller one')}" if more > 0 else ""
    yield f"The most plausible move that costs {cost} is {line.deviations:.1f} deviations away: {moves}{others}."
    if line.probability is not None:
        yield f"Were moves normal, a loss as large would have a chance of {odds(line.probability)}."
    if line.past is not None:
        yield past_words(line.past)


def past_words(past: Past) -> str:
    """How often the past moved as far, against the normal distribution."""
    share = f"{percent(past.as_far / past.scenarios, digits=2)}" if past.as_far else "none"
    far = f"{past.as_far:,} ({share})" if past.as_far else share
    lost = f"{past.lost:,} of them" if past.lost else "none"
    every = f"{named(past.scenarios, 'scenario')} of the calibration"
    normal = f"a normal distribution has {odds(past.as_far_normal)}"
    return f"Of {every} {far} moved as far in any direction, where {normal}; {lost} cost as much."


def odds(chance: float) -> str:
    """A chance in percent, or as one in so many where it is small.

    >>> odds(0.0123), odds(2e-6), odds(1e-30)
    ('1.23 %', '1 in 500,000', 'less than 1 in a billion')
    """
    if chance >= 1e-4:
        return percent(chance, digits=2)
    return f"1 in {round(1.0 / chance):,}" if chance > 1e-9 else "less than 1 in a billion"


def shock_words(move: FactorMove) -> str:
    """A shock in percent, or in basis points of a rate or carry.

    >>> shock_words(FactorMove(factor="rate:USD", shock=0.0035, deviations=2.0))
    '+35 bp'
    """
    kind = move.factor.split(":")[0]
    if kind in RELATIVE_KINDS:
        return percent(move.shock, plus=True)
    if kind in ("rate", "fwd", "basis", "funding"):
        return label_text(f"{1e4 * move.shock:+,.0f} bp")
    return label_text(f"{move.shock:+.3f}")


def short_name(line: ReverseLine) -> str:
    """A target in as few letters as a plot has room for."""
    return _SHORT.get(line.exhausts, line.exhausts)
