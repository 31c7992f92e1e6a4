"""Failures on small books: what must follow, what must not, and who notices."""

from dataclasses import replace
from importlib import resources

import pytest

from crossmargin.adapters.files import read_book, read_market, read_model_document
from crossmargin.adapters.registries.files import default_registry
from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.engine.failures.footing import footing
from crossmargin.engine.failures.run import run_failures
from crossmargin.portfolio import document as book
from crossmargin.portfolio.build import build_book

DEMO = resources.files("crossmargin.cli").joinpath("demo")
ARBITRUM, BASE, POLYGON = "eip155:42161", "eip155:8453", "eip155:137"


@pytest.fixture(scope="module")
def world():
    """The demonstration's market without what it says of chains, Crossmargin's model and the shipped registry."""
    snapshot = replace(read_market(str(DEMO / "market.toml")), chains=None)
    return snapshot, read_model_document("crossmargin-grid"), default_registry()


def run(world, *events, holdings, positions=(("BTC_USDC-PERPETUAL.DERIBIT", 1.0),), share=0.0):
    """The lines of events on one account, by their ids."""
    snapshot, model, registry = world
    held = tuple(book.Holding(asset=a, amount=x, chain=c) for a, x, c in holdings)
    lines = tuple(book.Position(instrument=name, quantity=q) for name, q in positions)
    group = book.Group(id="main", mode="portfolio", positions=lines)
    account = book.Account(id="account", collateral=held, groups=(group,))
    made = build_book(book.BookDocument(accounts=(account,)), now_ns=snapshot.time_ns)
    reports = run_failures(made, snapshot, model, registry, events=events, bridge_share=share)
    report = reports.bridged or reports.as_it_is
    return report, {line.id: line for line in report.events}


def barely(world, asset, chain):
    """So little of an asset that the account just meets its requirement."""
    low, high = 1e-3, 1e6
    for _ in range(40):
        middle = (low * high) ** 0.5
        _, lines = run(world, "F01", holdings=[(asset, middle, chain)])
        low, high = (low, middle) if lines["F01"].accounts[0].before == "healthy" else (middle, high)
    return high


@pytest.mark.parametrize("asset", ["wstETH", "USDC"])
def test_prices_that_are_wrong_alone_liquidate_nobody(world, asset):
    """The rate cap of 10 March 2026, one venue's prices, a poisoned upstream: an account at its very limit stays."""
    amount = barely(world, asset, ARBITRUM)
    _, lines = run(world, "X6", "D05", "D03", "D06", "X7", holdings=[(asset, amount, ARBITRUM)])
    for line in lines.values():
        assert line.liquidations == 0, line.id
        assert line.requirement_usd == 0.0, line.id


def test_new_risk_takes_the_worst_price_at_once(world):
    """The same wrong prices, which liquidate nobody, stop an account at its limit from adding to its risk."""
    amount = barely(world, "wstETH", ARBITRUM)
    _, lines = run(world, "X6", "D03", "X7", holdings=[("wstETH", amount, ARBITRUM)])
    assert all(line.call_usd > 0.0 and line.accounts[0].status == "restricted" for line in lines.values())


def test_a_real_fall_liquidates_the_same_account(world):
    amount = barely(world, "USDC", ARBITRUM)
    _, lines = run(world, "D01", "C02", holdings=[("USDC", amount, ARBITRUM)])
    assert all(line.liquidations == 1 for line in lines.values())


def test_only_the_supply_invariant_sees_a_silent_drain(world):
    """wstETH on Arbitrum stands behind a lockbox on Ethereum; final there in 19 minutes, and a look each minute."""
    report, lines = run(world, "X4", holdings=[("wstETH", 100.0, ARBITRUM), ("USDC", 1e6, "eip155:1")])
    assert report.largest_bridge == "arbitrum-canonical"
    drained = lines["X4"]
    assert (drained.detector, drained.detect_s) == ("supply invariant", 1_140.0 + 60.0)
    assert {f.detector: f.after_s for f in drained.findings} == {"supply invariant": 1_200.0, "peg state": None}
    assert drained.accounts[0].loss_usd == pytest.approx(100.0 * 1.2262 * 2058.25)


def test_without_a_lockbox_nobody_sees_it(world):
    _, lines = run(world, "X4", holdings=[("WBTC", 10.0, "eip155:1")])
    assert (lines["X4"].detector, lines["X4"].liquidations) == ("none", 0)
    assert lines["X4"].loss_usd > 0.0


def test_upstream_families_are_counted(world):
    _, lines = run(world, "X7", holdings=[("wstETH", 100.0, ARBITRUM)])
    assert lines["X7"].detector == "quorum"
    assert "2 upstream families" in lines["X7"].states[0]
    assert lines["X7"].moves == {}


def test_a_halt_takes_nothing_but_time(world):
    _, lines = run(world, "O06", holdings=[("ETH", 20.0, BASE), ("USDC", 1e5, "eip155:1")])
    halt = lines["O06"]
    assert halt.loss_usd == 0.0
    assert halt.unavailable_usd == pytest.approx(20.0 * 2058.25)
    assert halt.detector == "sequencer feed"
    # What waits counts after its haircut of 12 %, and may fall by 2.33 daily deviations times √(days).
    gap = 20.0 * 2058.25 * (1.0 - 2e-4) * 0.88 * 2.33 * 0.0369 * (6480.0 / 86_400.0) ** 0.5
    assert halt.requirement_usd == pytest.approx(gap, rel=1e-6)


def test_a_reorganisation_is_judged_by_the_chain_s_own_finality(world):
    held = [("USDC", 1e6, POLYGON)]
    _, lines = run(world, "F03", "X5", "O08", holdings=held)
    assert lines["F03"].unavailable_usd == 0.0
    assert lines["X5"].unavailable_usd == pytest.approx(1e6 * 0.9998)
    assert "does not finalise" in lines["O08"].states[0]
    assert lines["O08"].detect_s == 1_020.0


def test_what_is_not_held_does_nothing(world):
    _, lines = run(world, "O01", "B11", "X5", holdings=[("USDC", 1e6, "eip155:1")])
    assert all(not line.moves and line.loss_usd == 0.0 and not line.findings for line in lines.values())


def test_a_share_is_moved_behind_the_largest_bridge(world):
    held = [("wstETH", 10.0, ARBITRUM), ("USDC", 1e6, "eip155:1")]
    plain, before = run(world, "B05", holdings=held)
    moved, after = run(world, "B05", holdings=held, share=0.6)
    assert plain.largest_bridge == moved.largest_bridge == "arbitrum-canonical"
    assert moved.bridged_share == pytest.approx(0.6)
    assert moved.collateral_usd == pytest.approx(plain.collateral_usd)
    assert after["B05"].loss_usd == pytest.approx(0.6 * moved.collateral_usd)
    assert before["B05"].loss_usd == pytest.approx(plain.bridged_share * plain.collateral_usd)


def test_a_share_of_a_book_without_bridges(world):
    moved, lines = run(world, "B05", holdings=[("USDC", 1e6, "eip155:1")], share=0.25)
    assert moved.bridged_share == pytest.approx(0.25)
    assert lines["B05"].loss_usd == pytest.approx(0.25 * 0.9998 * 1e6)


def test_tokens_say_their_bridges_themselves(world):
    """The bundled desk names its wstETH on Arbitrum: its row of R moves with the bridge, without another asset."""
    snapshot = read_market(str(DEMO / "market.toml"))
    desk = read_book(str(DEMO / "book.toml"), market=snapshot)
    ground = footing(desk, snapshot, world[1], snapshot.chains.registry)
    assert ground.over == {}
    assert ground.gross[ground.behind("arbitrum-canonical")].sum() > 0.0
    reports = run_failures(desk, snapshot, world[1], world[2], events=["O01", "X3", "D03"], bridge_share=0.6)
    assert reports.registry_sha256 == snapshot.chains.registry_sha256
    assert [one.before for one in reports.as_it_is.events[0].accounts] == ["healthy", "healthy"]
    assert reports.as_it_is.events[0].loss_usd == 0.0
    assert reports.as_it_is.events[2].liquidations == 0
    assert reports.bridged.bridged_share == pytest.approx(0.6, abs=0.01)


def test_unknown_events_and_impossible_shares_are_refused(world):
    with pytest.raises(UnknownName, match="X9"):
        run(world, "X9", holdings=[("USDC", 1.0, "")])
    with pytest.raises(InvalidInput, match="bridge share"):
        run(world, "X1", holdings=[("USDC", 1.0, "")], share=1.5)
