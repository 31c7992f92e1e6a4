"""What a kept predictor says, in sentences, cells and a card beside the model's forecast."""

from __future__ import annotations

from collections.abc import Iterator

from crossmargin.cli.report.page_parts import card, grid, table
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.wording import Column, label_text, moment, named, percent, usd
from crossmargin.engine.outlook.forecast import PREDICTOR, ForecastReport
from crossmargin.engine.outlook.foretelling import Foretold

REASONS_TOLD = 4
LOSS_COLUMNS = (Column("loss over the horizon", words=True), Column("not above, USD"), Column("mean beyond, USD"))
LEVEL_COLUMNS = (Column("probability"), Column("initial margin, USD"), Column("to hold now for it, USD"))


def predicted_words(report: ForecastReport) -> Iterator[str]:
    """What the answer is, by whom, and why; nothing without a predictor."""
    said, answer = report.foretold, report.answer
    if said is None or answer is None:
        return
    loss = f"The loss that is passed with a chance of {percent(said.rate)}"
    own, plain = f"{usd(said.margin_usd)} USD", f"{usd(said.filter_usd)} USD"
    if said.is_used:
        beaten = " and ".join(f"{v.rival} on {v.subject}" for v in said.verdicts)
        yield f"{loss} is {own} by the predictive margin, which is used as it beat {beaten}."
        yield f"The filter {said.filter} says {plain}."
    else:
        yield f"{loss} is {plain} by {said.filter}, which is used; the predictive margin says {own}."
        yield f"That is not used because {_listed(said.reasons)}."
    if answer.calls_by == PREDICTOR:
        yield f"By the predictor a call has a chance of {call_text(said)}, which is used."
    elif said.is_used:
        yield f"Its chance of a call is not used because {_listed(said.call_reasons)}."


def _listed(reasons: tuple[str, ...]) -> str:
    shown = [label_text(reason) for reason in reasons[:REASONS_TOLD]]
    more = len(reasons) - len(shown)
    return "; ".join(shown) + (f"; and {named(more, 'further reason')}" if more else "")


def call_text(said: Foretold) -> str:
    """The chance of a call, or the bound that the learnt levels leave."""
    if said.call_chance is None or said.call_low is None or said.call_high is None:
        return "not learnt"
    if said.call_low == 0.0:
        return f"at most {percent(said.call_high)}"
    if said.call_high == 1.0:
        return f"at least {percent(said.call_low)}"
    return percent(said.call_chance)


def loss_cells(said: Foretold) -> list[list[str]]:
    """The predictive margin and the filter's, the one that is used first."""
    own = ["predictive margin", usd(said.margin_usd), usd(said.shortfall_usd)]
    plain = [f"filter {said.filter}", usd(said.filter_usd), usd(said.filter_shortfall_usd)]
    used, beside = (own, plain) if said.is_used else (plain, own)
    return [[f"{used[0]} (used)", *used[1:]], beside]


def level_cells(said: Foretold) -> list[list[str]]:
    """Quantiles of requirement and need as they were learnt."""
    return [[percent(one.level), usd(one.initial_usd), usd(one.need_usd)] for one in said.levels]


def learnt_words(said: Foretold) -> str:
    """From when to when it learnt, on what, and which predictor it is."""
    span = f"{moment(said.learnt_first_ms)} to {moment(said.learnt_last_ms)}"
    like = f" Judged as: {', '.join(said.families)}." if said.families else ""
    stands = f"The account stands where it stood at the close of {moment(said.as_of_ms)}."
    return f"Learnt from {span}, predictor {said.predictor[:12]}. {stands}{like}"


def predicted_card(report: ForecastReport) -> Markup:
    """The predictive margin beside the filter's, its levels, and its verdicts."""
    said = report.foretold
    assert said is not None, "asked for with a predictor"
    loss = [table(f"Passed with a chance of {percent(said.rate)}", LOSS_COLUMNS, loss_cells(said))]
    if said.call_reasons:
        what = "Its chance of a call is" if said.is_used else "The predictor is"
        why = "; ".join(label_text(reason) for reason in said.call_reasons)
        loss.append(element("p", f"{what} not used: {why}.", class_="note"))
    loss.append(element("p", learnt_words(said), class_="note"))
    made = card(join(loss))
    if said.levels:
        levels = table("Requirement to come, as it was learnt", LEVEL_COLUMNS, level_cells(said))
        note = element("p", f"Chance of a call by the predictor: {call_text(said)}.", class_="note")
        made = grid(made, card(join((levels, note))))
    if not said.verdicts:
        return made
    columns = (Column("judged on", words=True), Column("outcome", words=True), Column("FZ0"), Column("best filter"))
    rows = [[v.subject, v.outcome, f"{v.score:.3f}", f"{v.rival} {v.rival_score:.3f}"] for v in said.verdicts]
    return join((made, card(table("Verdict out of sample (less is better)", columns, rows))))
