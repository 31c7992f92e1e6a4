"""Vertex: weights, spread credit, pools, and books."""

import pytest

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.vertex.health import (
    RULEBOOK,
    Asset,
    LiquidityToken,
    Portfolio,
    Product,
    Weights,
    margin_of,
    spread_credit,
)
from tests.margin.rulebooks.accounts import account, ask

WEIGHTS = Weights(long_initial=0.9, short_initial=1.1, long_maintenance=0.95, short_maintenance=1.05)


def product(amount: float, quote: float = 0.0) -> Product:
    return Product(amount=amount, price=100.0, weights=WEIGHTS, quote=quote)


def test_spread_by_hand():
    # 10 matched of 10 and 15: 10·200·(1 − 0.1/5 − 0.9) = 160; a fifth of what the legs lose stays.
    hedged = Asset(name="BTC", spot=product(10), perpetual=product(-15, 1_500))
    assert spread_credit(hedged, "initial") == pytest.approx(160)
    got = margin_of(Portfolio(assets=(hedged,)), "initial")
    assert got.health == pytest.approx(900 - 1_650 + 1_500 + 160)
    same = Asset(name="BTC", spot=product(10), perpetual=product(15))
    assert spread_credit(same, "initial") == 0.0
    assert margin_of(Portfolio(), "initial").health == 0.0


def test_spread_weighs_with_the_long_weight_of_the_other_leg():
    better = Weights(long_initial=1.0, short_initial=1.0, long_maintenance=1.0, short_maintenance=1.0)
    perpetual = Product(amount=-10.0, price=100.0, weights=better)
    # Spot long: w_long is the perpetual's 1.0: 10·200·(1 − 0.95); short the other way round: 1 − 0.02 − 0.95.
    assert spread_credit(Asset(name="A", spot=product(10), perpetual=perpetual), "initial") == pytest.approx(100)
    turned = Product(amount=10.0, price=100.0, weights=better)
    assert spread_credit(Asset(name="A", spot=product(-10), perpetual=turned), "initial") == pytest.approx(60)


def test_pool_shares_count_at_the_geometric_mean():
    even = LiquidityToken(base=1.0, quote=100.0, price=100.0, weights=WEIGHTS)
    assert margin_of(Portfolio(liquidity=(even,)), "initial").health == pytest.approx(190)
    skewed = LiquidityToken(base=1.0, quote=100.0, price=400.0, weights=WEIGHTS)
    assert margin_of(Portfolio(liquidity=(skewed,)), "initial").health == pytest.approx(380)  # not 460


def test_book_is_read_as_a_subaccount():
    answer = ask(RULEBOOK, account(("BTC-P.V", -1, 101_000.0), collateral={"USDC": 1_000, "BTC": 1, "PEPE": 1}))
    assert answer.initial_usd == pytest.approx(10_000 + 10_000 - 16_000)
    assert answer.maintenance_usd == pytest.approx(5_000 + 5_000 - 8_000)
    assert answer.equity_usd == pytest.approx(1_000 + 100_000 + 1_000)
    assert answer.refused == ("collateral PEPE",)


def test_bad_weights_are_refused():
    with pytest.raises(InvalidInput, match="short_initial"):
        Weights(long_initial=0.9, short_initial=0.9, long_maintenance=0.9, short_maintenance=1.1)
    with pytest.raises(InvalidInput, match="price"):
        Product(amount=1.0, price=0.0, weights=WEIGHTS)
