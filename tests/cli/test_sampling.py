"""A statistical margin says what it is: measure, level, scenarios, horizon, error, and what nothing moves."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from crossmargin.cli import tables
from crossmargin.cli.report import charts, page
from crossmargin.cli.sampling import sampling_notes
from crossmargin.cli.sentences import account_summary, group_words
from crossmargin.engine.reports import MarginReport, Proxied, Sampling, ScenarioLine
from tests.cli import made_up
from tests.margin.books import replace

SAMPLE = Sampling(
    measure="expected_shortfall",
    level=0.975,
    scenarios=1000,
    tail=25,
    method="filtered",
    horizon_days=1.0,
    source="levels.csv",
    unmoved=("fwd:BTC", "fwd:ETH", "peg:USDC"),
    proxied=(Proxied(factor="spot:NEW", proxy="spot:BTC", beta=1.2, share=0.4),),
)


def report() -> MarginReport:
    account = made_up.account()
    pools = tuple(
        replace(
            pool,
            groups=tuple(
                replace(g, scan_usd=900_000.0, standard_error_usd=45_000.0) if g.worst_scenario else g
                for g in pool.groups
            ),
        )
        for pool in account.pools
    )
    told = replace(made_up.provenance(), sampling=SAMPLE)
    return MarginReport(provenance=told, accounts=(replace(account, pools=pools),))


def printed() -> str:
    console = Console(width=4000, file=io.StringIO())
    console.print(tables.margin_tables(report()))
    return console.file.getvalue()


SAID = (
    "expected shortfall at 97.5 % of 900,000 ± 45,000 USD over 1 day",
    "the mean of the 25 largest losses in 1,000 scenarios",
    "carry of BTC, ETH; peg of USDC",
    "spot:NEW was listed late: 40 % of its dates are filled from spot:BTC at a beta of 1.20.",
    "takes the dates as independent",
    "expected shortfall at 97.5 % of 1,000 scenarios over 1 day",
)


@pytest.mark.parametrize("words", SAID)
def test_the_terminal_and_the_page_say_it(words: str):
    assert words in printed()
    assert words in page.margin_page(report())


def test_no_scenario_is_said_to_set_the_requirement():
    found = report()
    told = " ".join(account_summary(found.accounts[0], found.provenance))
    assert "this one sets its requirement" not in told
    assert "The largest loss is 1,412,300 USD" in told
    assert "this one sets its requirement" in " ".join(account_summary(made_up.account(), made_up.provenance()))


def test_a_value_at_risk_says_how_many_pass_it():
    group = report().accounts[0].pools[0].groups[0]
    words = group_words(group, replace(SAMPLE, measure="value_at_risk", level=0.99, tail=10))
    assert "a value at risk at 99 % of 900,000 ± 45,000 USD over 1 day, exceeded in 9 of 1,000 scenarios" in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizon_bars": 5, "independent": 200.0}, "takes 1,000 scenarios as 200 independent ones"),
        ({"horizon_bars": 5, "horizon_rule": "bootstrap"}, "that of 1,000 draws"),
        ({"method": "monte_carlo"}, "that of 1,000 draws"),
        ({"horizon_bars": 5, "horizon_rule": "square_root"}, "dates as independent"),
        ({"method": "grid"}, "has no standard error"),
    ],
)
def test_the_assumption_behind_the_error_is_named(changes: dict, words: str):
    assert words in " ".join(sampling_notes(replace(SAMPLE, **changes)))


def test_a_worst_case_has_no_notes():
    assert sampling_notes(None) == ()


def test_twenty_thousand_draws_still_make_a_page():
    gains = [float((7919 * i) % 20_011) for i in range(20_011)]  # each of 0 … 20,010 once
    lines = [ScenarioLine(label=f"draw {i}", family="monte_carlo", pnl_usd=x) for i, x in enumerate(gains)]
    kept = charts.thinned(lines)
    assert len(kept) <= charts.MARKS
    assert {s.pnl_usd for s in kept} >= {float(x) for x in (*range(300), *range(19_711, 20_011))}
    assert charts.thinned(lines[:50]) == lines[:50]
    drawn = charts.family_strips(lines, 620.0)
    assert drawn.count("<rect") <= charts.MARKS + 5
    assert "monte_carlo (20011)" in drawn
