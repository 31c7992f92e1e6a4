"""Bybit cross mode: books of futures, options and collateral."""

import pytest

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.margin.rulebooks.bybit_cross.accounts import RULEBOOK, Future, Portfolio, margin_of
from tests.margin.rulebooks.accounts import account, ask

PARAMETERS = RULEBOOK.load("2024-09-01")


def test_futures_are_margined_by_their_risk_limits():
    # 2 m: second tier, 2 % less 1 m·1 %; initial at 10x.
    held = Future(notional=2e6, table=PARAMETERS.risk_limits["BTC"], leverage=10.0)
    assert margin_of(Portfolio(futures=(held,)), PARAMETERS.options) == pytest.approx((200_000, 30_000))
    assert margin_of(Portfolio(), PARAMETERS.options) == (0.0, 0.0)


def test_spreads_are_not_netted():
    naked = ask(RULEBOOK, account(("BTC-C.V", -1), collateral={"USDC": 1}))
    spread = ask(RULEBOOK, account(("BTC-C.V", -1), ("BTC-X.V", 1), collateral={"USDC": 1}))
    # 110,000 call at 100,000: 15 % less 10 % is below 10 %; maintenance 3.2 %, both plus the mark.
    mark = naked.initial_usd - 10_000
    assert naked.maintenance_usd == pytest.approx(3_200 + mark)
    assert 0 < mark < 10_000
    assert spread.initial_usd == naked.initial_usd
    assert spread.refused == ()


def test_book_of_everything():
    held = account(
        ("BTC-P.V", 1, 99_000.0), ("BTC-F.V", -1), ("PEPE-P.V", 1), collateral={"BTC": 1, "USDC": 100, "SOL": 1}
    )
    answer = ask(RULEBOOK, held)
    assert answer.initial_usd == pytest.approx(20_000)
    assert answer.maintenance_usd == pytest.approx(2_000)
    assert answer.equity_usd == pytest.approx(90_000 + 100 + 1_000)
    assert set(answer.refused) == {"PEPE-P.V", "collateral SOL"}
    assert answer.certainty == "unknown"


def test_bad_inputs_are_refused():
    with pytest.raises(InvalidInput, match="leverage"):
        Future(notional=1.0, table=PARAMETERS.risk_limits["BTC"], leverage=0.0)
    with pytest.raises(UnknownName, match="coin of options"):
        margin_of(Portfolio(options={"PEPE": ()}), PARAMETERS.options)
