"""Figures and sentences: what is written is what was computed."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.cli import sentences, wording
from crossmargin.engine.reports import Distance, ScenarioLine, Term
from tests.cli import made_up

amounts = st.floats(min_value=-1e14, max_value=1e14)
SUFFIX = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def read(text: str) -> float:
    """The number that a figure says."""
    text = text.replace(",", "").replace(wording.MINUS, "-").removesuffix(" %")
    return float(text[:-1]) * SUFFIX[text[-1]] if text[-1] in SUFFIX else float(text)


@given(amounts)
def test_usd_is_whole_above_a_hundred_and_to_the_cent_below(value):
    said = read(wording.usd(value))
    assert abs(said - value) <= (0.5 if abs(value) >= 99.995 else 0.005) * (1 + 1e-9) + abs(value) * 1e-15


@given(amounts)
def test_no_figure_says_minus_zero(value):
    for words in (wording.usd, wording.compact, wording.percent, wording.quantity, wording.level, wording.price):
        said = words(value)
        assert said.startswith(wording.MINUS) == (read(said) < 0.0)
        assert "-" not in said


@given(amounts)
def test_compact_keeps_three_digits_in_at_most_six_characters(value):
    said = wording.compact(value)
    assert abs(read(said) - value) <= max(0.006 * abs(value), 0.005)
    assert len(said) <= 6


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_levels_and_quantities_keep_their_digits(value):
    assert math.isclose(read(wording.level(value)), value, rel_tol=6e-5)
    assert math.isclose(read(wording.quantity(value)), value, rel_tol=6e-4)


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_the_largest_order_is_rounded_down(value):
    said = read(wording.order_size(value))
    assert said <= value * (1 + 1e-9)
    assert math.isclose(said, value, rel_tol=1.1e-4)


def test_every_label_of_the_grid_is_said_in_words():
    for line in made_up.scenarios():
        if line.label != "nothing moves":
            assert "“" not in sentences.scenario_clause(line.label), line.label


@pytest.mark.parametrize(
    ("label", "clause"),
    [
        ("BTC +0.0 %, vol up", "if BTC did not move with vol up"),
        ("all +3/4 of range by beta, vol same", "if everything rose together by 3/4 of its range with vol unchanged"),
        (
            "BTC -66.0 %, others by beta, × 0.0485",
            "if BTC fell 66 % and all else by beta (a far move, counted at 4.85 %)",
        ),
        ("USDC peg -2.0 %", "if the peg of USDC fell 2 %"),
        ("all stable assets -2.0 %", "if all stable assets fell 2 %"),
        ("ETH carry flatter", "if the carry of ETH flattened"),
        ("BTC skew -10.0 %", "if the skew of BTC fell 10 %"),
        ("Terra, May 2022 -60.0 %", "in the scenario “Terra, May 2022 −60.0 %”"),
    ],
)
def test_clauses(label, clause):
    assert sentences.scenario_clause(label) == clause


def test_terms_of_groups_and_pools_add_up_to_the_requirement():
    account = made_up.account()
    terms = sentences.merged_terms(account)
    assert math.isclose(sum(t.initial for t in terms), account.initial_usd)
    assert math.isclose(sum(t.maintenance for t in terms), account.maintenance_usd)
    assert len({t.name for t in terms}) == len(terms)


def test_holdings_are_summed_over_pools_and_nothing_is_lost():
    account = made_up.account()
    lines = [line for pool in account.pools for line in pool.collateral]
    shown = sentences.account_collateral(account)
    assert len(shown) == len(lines) - 1
    for field in ("gross_usd", "haircut_usd", "capped_usd", "recognised_usd"):
        assert math.isclose(sum(getattr(c, field) for c in shown), sum(getattr(c, field) for c in lines))


def test_the_closest_accounts_come_by_status_then_by_ratio():
    made = [
        made_up.account(f"a{i}", status, equity)
        for i, (status, equity) in enumerate(
            [("healthy", 9e6), ("liquidation", 1.9e6), ("restricted", 2.2e6), ("liquidation", -1.0e6), ("healthy", 3e6)]
        )
    ]
    assert [a.id for a in sentences.closest(made, 4)] == ["a3", "a1", "a2", "a4"]


@given(st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=40), st.integers(1, 12))
def test_the_worst_scenarios_hold_the_worst_and_come_in_order(gains, count):
    lines = [ScenarioLine(label=f"s{i}", family="price", pnl_usd=x) for i, x in enumerate(gains)]
    shown = sentences.worst_scenarios(lines, count)
    assert shown[0].pnl_usd == min(gains)
    assert [s.pnl_usd for s in shown] == sorted(s.pnl_usd for s in shown)
    assert len(shown) <= count


def test_equal_losses_share_a_line():
    lines = [ScenarioLine(label=f"s{i}", family="pair", pnl_usd=-5.0) for i in range(4)]
    lines.append(ScenarioLine(label="t", family="pair", pnl_usd=-4.0))
    assert [s.label for s in sentences.worst_scenarios(lines, 2)] == ["s0 and 3 more", "t"]


def test_nearest_liquidation_counts_both_sides():
    close = Distance(
        pool="p", underlying="ETH", price=2_000.0, below=None, above=2_200.0, searched_from=40.0, searched_to=50_000.0
    )
    found = sentences.nearest([*made_up.distances(), close])
    assert found is not None
    assert found[0] is close
    assert math.isclose(found[2], 0.1)
    assert sentences.nearest([msgspec.structs.replace(close, above=None)]) is None


def test_the_summary_says_the_numbers_that_matter():
    report = made_up.explain_report()
    text = " ".join(sentences.explain_summary(report))
    account = report.account
    for figure in (
        account.equity_usd,
        account.initial_usd,
        account.maintenance_usd,
        account.excess_initial_usd,
        1_412_300,
    ):
        assert wording.usd(figure) in text
    assert "if BTC fell 16 % with vol up" in text
    assert "BTC falls 28.3 % to 51,211" in text


@pytest.mark.parametrize(
    ("status", "equity", "said"),
    [
        ("restricted", 2_300_000.0, "are missing to open new risk"),
        ("liquidation", 1_000_000.0, "are missing to cover maintenance"),
        ("liquidation", 9_000_000.0, "one of its pools does not cover its own maintenance"),
    ],
)
def test_trouble_is_said(status, equity, said):
    assert said in sentences.standing(made_up.account("a", status, equity))


def test_a_term_keeps_its_name():
    assert wording.term_name(Term(name="short_option", initial=0.0, maintenance=0.0)) == "short option"
