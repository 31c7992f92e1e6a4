"""Every answer tells a quarantine alike: calls by equity for new risk, liquidations by what stands behind old risk."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

import crossmargin as xm
from crossmargin.adapters.registries.files import default_registry
from crossmargin.cli.sentences import (
    QUARANTINED,
    account_collateral,
    held_behind_old_risk,
    ratio_words,
    standing,
    status_words,
)
from crossmargin.engine.failures.run import run_failures
from crossmargin.engine.outlook.forecast import forecast
from crossmargin.engine.outlook.replay import Settings, replay
from tests.chain_books import ROLLUP, USDC_ROLLUP, Pool, chains, holding, pool
from tests.engine.calibrated import fitted
from tests.engine.outlook.test_replay import START, history
from tests.margin.desk import BTC_PERP


def quarantined(**model: object) -> Pool:
    """A sound account of which all collateral stands on a chain of two histories."""
    forked = chains(health={ROLLUP: "forked"})
    return pool(holding(USDC_ROLLUP, 1e5), positions={BTC_PERP.id: 0.5}, said=forked, **model)


@pytest.fixture(scope="module")
def one() -> Pool:
    return quarantined()


def test_a_shock_leaves_it_restricted_beside_both_equities(one: Pool):
    report = xm.stress(one.book, one.snapshot, one.result.plan.model)
    (account,) = report.accounts
    assert account.margins
    for after in account.margins:
        assert after.held_equity_usd > after.equity_usd + 8e4
        assert after.status == ("restricted" if after.equity_usd < after.initial_usd else "healthy")
    assert any(after.status == "restricted" for after in account.margins)


def test_a_replay_calls_it_and_liquidates_it_at_no_bar(one: Pool):
    report = replay(one.book, one.snapshot, one.result.plan.model, history(-0.1), [START], settings=Settings(days=1.0))
    (account,) = report.events[0].accounts
    assert account.liquidated_ms is None
    assert account.points[0].called_usd > 0.0
    assert {p.unpaid_status for p in account.points} == {"restricted"}


def test_a_forecast_calls_it_and_liquidates_it_never(one: Pool):
    report = forecast(one.book, one.snapshot, fitted(), account=one.book.accounts[0], outcomes=20)
    assert (report.call_chance, report.liquidation_chance) == (1.0, 0.0)
    assert report.equity_usd < report.initial_usd


def test_an_event_elsewhere_heals_nobody(one: Pool):
    registry = default_registry()
    found = run_failures(one.book, one.snapshot, one.result.plan.model, registry, events=["X3"]).as_it_is
    (account,) = found.events[0].accounts
    assert (account.before, account.status) == ("restricted", "restricted")


def test_words_say_what_keeps_it_from_liquidation(one: Pool):
    (account,) = xm.margin_report(one.result).accounts
    assert account.equity_usd < account.maintenance_usd < account.held_equity_usd
    assert status_words(account) == QUARANTINED
    assert "keeps it from liquidation" in standing(account)
    assert "New risk needs equity without it" in ratio_words(account)
    assert list(held_behind_old_risk(account, account)) == [("Held behind old risk", *[account.held_equity_usd] * 2)]
    plain = replace(account.pools[0].collateral[0], token=None)
    (line,) = account_collateral(replace(account, pools=(replace(account.pools[0], collateral=(plain, plain)),)))
    assert line.held_usd == 2.0 * plain.held_usd > 0.0
