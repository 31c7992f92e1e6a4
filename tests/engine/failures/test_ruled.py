"""Failures under a rulebook: its own answer for the account and the market that an event leaves."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_part

from crossmargin.adapters.files import read_book, read_market, read_model
from crossmargin.adapters.registries.files import default_registry
from crossmargin.engine.failures.library import default_failures
from crossmargin.engine.failures.ruled import LEFT_OUT
from crossmargin.engine.failures.run import run_failures
from crossmargin.engine.failures.sales import CrowdAsked
from crossmargin.engine.model import in_force
from crossmargin.engine.moved import dealt_at_marks
from crossmargin.market.snapshot import bump
from tests.engine.failures.desks import ARBITRUM, BASE, DEMO, PERPETUAL, account, lines_of, plain_market

RULE = "deribit-pm-cross@2026-02-15"  # counts BTC, ETH and USDC
NOBODY = CrowdAsked(accounts=0)


@pytest.fixture(scope="module")
def market():
    return plain_market()


def said(market, made, **moves):
    """The rulebook's own answer in the market after moves of prices."""
    model = in_force(read_model(RULE), market)
    entered = dealt_at_marks(made, market)
    return model.evaluate(entered, bump(market, {name.replace("_", ":"): x for name, x in moves.items()}))


def ruled(market, made, *events, **more):
    return lines_of(market, made, *events, model=RULE, crowd=NOBODY, **more)


def test_a_fall_is_the_rulebook_in_the_fallen_market(market):
    made = account(market, [("USDC", 60_000.0, BASE)], positions=((PERPETUAL, 1.0), ("ETH-PERPETUAL.DERIBIT", 2e4)))
    _, lines = ruled(market, made, "C03")
    before, after = said(market, made), said(market, made, spot_BTC=-0.25, spot_ETH=-0.25)
    one = lines["C03"].accounts[0]
    assert one.requirement_usd == pytest.approx(after.initial_usd - before.initial_usd)
    assert one.call_usd == pytest.approx(max(after.initial_usd - after.equity_usd, 0.0))
    assert one.loss_usd == pytest.approx(before.equity_usd - after.equity_usd, rel=1e-3)
    assert (one.before, one.status) == ("healthy", "healthy")


def test_a_bridge_takes_coins_from_a_rulebook_that_sees_none(market):
    """Half of the coins stand behind a bridge that loses 78 %: the rulebook is asked about 61 % of them."""
    made = account(market, [("ETH", 40.0, ARBITRUM), ("ETH", 40.0, "eip155:1")], positions=((PERPETUAL, 1.0),))
    shipped = default_failures()
    minute = replace_part(shipped.events[6], duration_s=(60.0, 60.0))  # too short for the state of a peg to change
    library = replace_part(shipped, events=(minute,), composites=())
    report, lines = ruled(market, made, "B07", share=0.5, library=library)
    assert report.bridged_share == pytest.approx(0.5)
    found = said(market, account(market, [("ETH", 80.0 * (1.0 - 0.5 * 0.78), "")]))
    one = lines["B07"].accounts[0]
    assert one.loss_usd == pytest.approx(0.78 * 40.0 * 2058.25)
    assert one.requirement_usd == pytest.approx(found.initial_usd - said(market, made).initial_usd)
    assert one.call_usd == pytest.approx(max(found.initial_usd - found.equity_usd, 0.0))


def test_behind_a_broken_bridge_nothing_counts_for_new_risk(market):
    made = account(market, [("USDC", 9_000.0, ARBITRUM), ("USDC", 9_000.0, "eip155:1")])
    _, lines = ruled(market, made, "B10", share=0.5)
    without = said(market, account(market, [("USDC", 9_000.0, "")]))
    assert lines["B10"].call_usd == pytest.approx(without.initial_usd - without.equity_usd, rel=1e-3)
    assert lines["B10"].call_usd > 0.0


def test_what_stands_still_counts_for_held_risk_alone(market):
    """All collateral on a chain that halts: a call of the whole requirement, and nobody is liquidated."""
    made = account(market, [("USDC", 60_000.0, BASE)])
    _, lines = ruled(market, made, "O06")
    one, before = lines["O06"].accounts[0], said(market, made)
    assert one.call_usd == pytest.approx(before.initial_usd - (before.equity_usd - 60_000.0 * 0.9998), rel=1e-2)
    assert (one.loss_usd, one.requirement_usd, one.status) == (0.0, 0.0, "restricted")
    assert lines["O06"].unavailable_usd == pytest.approx(60_000.0 * 0.9998)


def test_debts_stay_where_collateral_is_gone(market):
    """A venue on a chain loses half of what is there; what is owed there is owed as before."""
    held = [("USDC", 50_000.0, ARBITRUM), ("ETH", -5.0, ARBITRUM)]
    _, lines = ruled(market, account(market, held), "B09")
    left = account(market, [("USDC", 0.8 * 50_000.0, ""), ("ETH", -5.0, "")])
    found, before = said(market, left), said(market, account(market, held))
    one = lines["B09"].accounts[0]
    assert one.requirement_usd == pytest.approx(found.initial_usd - before.initial_usd)
    assert one.call_usd == pytest.approx(max(found.initial_usd - found.equity_usd, 0.0))


def test_what_a_rulebook_does_not_take_is_in_no_loss(market):
    made = account(market, [("USDC", 60_000.0, BASE), ("WBTC", 3.0, "eip155:1")])
    report, lines = ruled(market, made, "B05")
    assert report.rulings["account"].refused == ("collateral WBTC",)
    assert (lines["B05"].targets, lines["B05"].loss_usd) == (("largest bridge: wbtc-custody",), 0.0)


def test_sales_are_forced_at_the_rulebook_s_own_limit(market):
    """Just above its maintenance margin under the rulebook, an account sells once the price falls by a quarter."""
    made = account(market, [("USDC", 12_000.0, BASE)])
    assert said(market, made).equity_usd > said(market, made).maintenance_usd
    _, lines = ruled(market, made, "C03")
    sales = lines["C03"].sales
    assert (sales.population, sales.sellers, sales.liquidations) == (1, 1, 1)
    rich = account(market, [("USDC", 60_000.0, BASE)])
    assert ruled(market, rich, "C03")[1]["C03"].sales.sellers == 0


def test_the_whole_library_runs_on_the_desk_and_says_what_it_leaves_out():
    snapshot = read_market(str(DEMO / "market.toml"))
    desk = read_book(str(DEMO / "book.toml"), market=snapshot)
    crowd = CrowdAsked(accounts=1_000)
    reports = run_failures(desk, snapshot, read_model("okx-pm"), default_registry(), bridge_share=0.6, crowd=crowd)
    assert reports.left_out == LEFT_OUT
    assert "not its chain" in LEFT_OUT[0]
    assert len(reports.bridged.events) == 45
    assert set(reports.as_it_is.rulings) == {"desk", "coin-fund"}
    no_liquidity = {n: replace(u, liquidity=None) for n, u in snapshot.underlyings.items()}
    quiet = run_failures(desk, replace(snapshot, underlyings=no_liquidity), read_model("okx-pm"), default_registry())
    assert all(line.sales is None for line in quiet.as_it_is.events)
