"""Tables of the terminal: all figures whole at any width, nothing from input steers the terminal."""

import io
import time

import msgspec
import pytest
from rich.console import Console, RenderableType

from crossmargin.cli import tables
from crossmargin.cli.wording import usd
from tests.cli import made_up

ALL = {
    "margin": lambda: tables.margin_tables(made_up.margin_report()),
    "many": lambda: tables.margin_tables(made_up.many_accounts(50)),
    "explain": lambda: tables.explain_tables(made_up.explain_report()),
    "simulate": lambda: tables.simulate_tables(made_up.simulate_report()),
    "stress": lambda: tables.stress_tables(made_up.stress_report()),
}


def printed(table: RenderableType, width: int = 100, *, terminal: bool = False) -> str:
    """What a console of that width shows."""
    console = Console(
        width=width, file=io.StringIO(), force_terminal=terminal, color_system="256" if terminal else None
    )
    console.print(table)
    return console.file.getvalue()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_console_and_nothing_is_cut(name, width):
    text = printed(ALL[name](), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


@pytest.mark.parametrize("name", ALL)
def test_a_pipe_gets_plain_text(name):
    assert "\x1b" not in printed(ALL[name]())


def test_a_terminal_gets_colour_for_the_status():
    assert "\x1b[1;32mhealthy" in printed(ALL["margin"](), terminal=True)


@pytest.mark.parametrize("width", [80, 100])
def test_margin_shows_every_term_holding_and_total(width):
    text = printed(ALL["margin"](), width)
    account = made_up.account()
    for pool in account.pools:
        for line in pool.collateral:
            assert usd(line.recognised_usd) in text
        for group in pool.groups:
            assert usd(group.initial_usd) in text
            for term in group.terms:
                assert usd(term.initial) in text
                assert usd(term.maintenance) in text
    for figure in (account.equity_usd, account.initial_usd, account.maintenance_usd, account.excess_initial_usd):
        assert usd(figure) in text
    assert "65" in text
    assert "if BTC fell 16 % with vol up" in " ".join(text.split())


def test_explain_shows_positions_distances_capacity_and_change():
    text = printed(ALL["explain"]())
    for position in made_up.positions():
        assert usd(position.euler_usd) in text
        assert usd(position.marginal_usd) in text
        assert usd(position.delta_usd) in text
    for words in ("never up to 8,572.8", "51,211 (−28.3 %)", "no limit found", "+412,000", "−96,345"):
        assert words in text
    assert "EUR (shared)" in text


def test_simulate_shows_both_sides_and_the_difference():
    text = printed(ALL["simulate"]())
    report = made_up.simulate_report()
    for a, b in (
        (report.before.initial_usd, report.after.initial_usd),
        (report.before.equity_usd, report.after.equity_usd),
    ):
        for figure in (usd(a), usd(b), usd(b - a, plus=True)):
            assert figure in text
    assert "(was BTC −16.0 %, vol up)" in " ".join(text.split())


def test_stress_sorts_shocks_from_the_worst():
    text = printed(ALL["stress"]())
    labels = [s.label for s in sorted(made_up.stress_report().accounts[0].lines, key=lambda s: s.pnl_usd)]
    table = text[text.index("Named shocks") :]
    places = [table.index(label) for label in labels]
    assert places == sorted(places)


def test_heat_maps_show_every_cell():
    text = printed(ALL["stress"]())
    for row in made_up.risk_arrays()[0].pnl_usd:
        for cell in row:
            assert usd(cell) in text


def test_large_books_show_totals_and_the_ten_in_most_danger():
    report = made_up.many_accounts(50_000)
    start = time.perf_counter()
    text = printed(tables.margin_tables(report))
    assert time.perf_counter() - start < 5.0
    assert len(text.splitlines()) < 60
    assert usd(sum(a.equity_usd for a in report.accounts)) in text
    assert text.count("account-0") == 10


@pytest.mark.parametrize("name", ["[bold]desk[/bold]", "[/]", "desk\x1b[2J\x1b]0;title\x07", "a\rb"])
def test_names_are_text_and_never_commands(name):
    explained = msgspec.structs.replace(made_up.explain_report(), account=made_up.account(name))
    text = printed(tables.explain_tables(explained), terminal=True)
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "\r" not in text
    if "\x1b" not in name and "\r" not in name:
        assert name in text


def test_an_account_without_anything_still_prints():
    empty = msgspec.structs.replace(
        made_up.account(),
        pools=(),
        equity_usd=0.0,
        initial_usd=0.0,
        maintenance_usd=0.0,
        excess_initial_usd=0.0,
        margin_ratio=0.0,
    )
    text = printed(tables.margin_tables(made_up.margin_report(empty)))
    assert "has to hold nothing" in text
    bare = made_up.explain_report(
        account=empty,
        groups=(),
        by_group=(),
        distances=(),
        frontiers=(),
        capacity=(),
        spot_curves=(),
        risk_arrays=(),
        change=None,
    )
    assert "desk-1" in printed(tables.explain_tables(bare))
