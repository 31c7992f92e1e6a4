"""What collateral counts for: never more than it is worth, never more than its caps, less by size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.collateral.document import Caps, Collateral, HaircutTier
from crossmargin.collateral.haircuts import check_rules, effective_haircut
from crossmargin.core.errors import InvalidInput
from crossmargin.portfolio.document import Holding
from spec.collateral import marginal_haircut
from tests.margin.books import MarginCase, haircuts, margin_cases, replace
from tests.margin.desk import BTC_PERP, account, desk, desk_market, group, plain_model
from tests.strategies import CHAINS, numbers

TIERS = (HaircutTier(value_cap=100.0, haircut=0.1), HaircutTier(value_cap=300.0, haircut=0.4))
FLAT = {a: (HaircutTier(value_cap=1e18, haircut=0.0),) for a in ("USD", "USDC", "BTC", "ETH")}


def recognised(*holdings: Holding, **rules: object) -> np.ndarray:
    """What each holding counts for on the desk's market, in the order of the book."""
    a = replace(account(group({})), collateral=holdings)
    model = plain_model(collateral=Collateral(**{"haircuts": FLAT} | rules))
    return desk(a, model=model, market=rules.pop("market", None)).result.holdings.recognised


@given(haircuts(), st.lists(numbers(0.0, 1e8), min_size=1, max_size=5))
def test_average_haircut_is_that_of_its_tiers(tiers: tuple[HaircutTier, ...], values: list[float]):
    plain = [{"value_cap": t.value_cap, "haircut": t.haircut} for t in tiers]
    found = effective_haircut(np.asarray(values), tiers) * values
    assert found == pytest.approx([marginal_haircut(v, plain) for v in values], rel=1e-12, abs=1e-9)


@given(haircuts(), numbers(0.0, 1e8), numbers(0.0, 1e8))
def test_more_is_cut_more_and_still_counts_for_more(tiers: tuple[HaircutTier, ...], a: float, b: float):
    low, high = sorted((a, b))
    rate = effective_haircut(np.asarray([low, high]), tiers)
    assert 0.0 <= rate[0] <= rate[1] + 1e-12 <= 1.0 + 2e-12
    counted = np.asarray([low, high]) * (1.0 - rate)
    assert counted[0] <= counted[1] + 1e-9 * (1.0 + high)


def test_tiers_by_hand():
    # 100 at 10 %, 200 at 40 %, and above the last cap its rate goes on: 100 at 40 %.
    assert effective_haircut(np.asarray([50.0, 300.0, 400.0]), TIERS) * [50, 300, 400] == pytest.approx([5, 90, 130])


@given(margin_cases())
@settings(max_examples=60)
def test_what_counts_is_within_value_and_caps(c: MarginCase):
    book, held, rules = c.book, c.result.holdings, c.model.collateral
    owned = held.gross > 0.0
    assert (held.recognised <= np.maximum(held.gross, 0.0) * (1.0 + 1e-12))[owned].all()
    assert (held.recognised <= held.gross + 1e-12 * np.abs(held.gross)).all()
    size = 1e-12 * (1.0 + np.abs(held.gross))
    assert (np.abs(held.gross - held.haircut - held.capped - held.recognised) <= size).all()
    rows = book.holdings.instrument
    assets = np.asarray([book.table.assets[i] for i in book.table.settle[rows]], dtype=object)
    chains = np.asarray([book.table.chains[i] if i >= 0 else "" for i in book.table.chain[rows]], dtype=object)
    issuers = np.asarray([c.snapshot.assets[a].issuer if a != "USD" else "" for a in assets], dtype=object)
    for names, caps in ((assets, rules.caps.asset), (chains, rules.caps.chain), (issuers, rules.caps.issuer)):
        for name, cap in caps.items():
            for pool in range(len(book.pools)):
                mine = owned & (names == name) & (book.holdings.owner == pool)
                assert held.recognised[mine].sum() <= cap * (1.0 + 1e-12)


def test_size_is_that_of_the_asset_over_all_chains():
    # 2 × 150 of BTC on two chains are 300: a haircut of 90, half of it each.
    two = [Holding(asset="BTC", amount=1.5, chain=chain) for chain in CHAINS[:2]]
    assert recognised(*two, haircuts=FLAT | {"BTC": TIERS}) == pytest.approx([105.0, 105.0])


def test_caps_take_their_part_of_each():
    held = (
        Holding(asset="USDC", amount=100.0, chain=CHAINS[0]),
        Holding(asset="USDC", amount=300.0, chain=CHAINS[1]),
        Holding(asset="BTC", amount=1.0, chain=CHAINS[0]),
    )
    whole = {(h.asset, h.chain): float(h.amount) * (100.0 if h.asset == "BTC" else 1.0) for h in held}
    by_asset = recognised(*held, caps=Caps(asset={"USDC": 200.0}))
    assert by_asset.sum() == pytest.approx(200.0 + 100.0)
    assert sorted(by_asset) == pytest.approx([50.0, 100.0, 150.0])
    by_chain = recognised(*held, caps=Caps(chain={CHAINS[0]: 100.0}))
    assert by_chain.sum() == pytest.approx(sum(whole.values()) - 100.0)
    assert recognised(*held, caps=Caps(asset={"USDC": 0.0, "BTC": 0.0})).sum() == 0.0


def test_a_debt_counts_in_full_with_its_markup():
    market = desk_market()
    wide = replace(market, assets=tuple(replace(a, confidence_bps=100.0) for a in market.assets))
    held = replace(account(group({})), collateral=(Holding(asset="BTC", amount=-2.0), Holding(asset="ETH", amount=5.0)))
    model = plain_model(collateral=Collateral(haircuts=FLAT | {"BTC": TIERS}, debt_markup=0.1))
    c = desk(held, model=model, market=wide)
    # Owed: 200 at the high price of +1 % and 10 % more. Owned: 50 at the low price of −1 %.
    assert sorted(c.result.holdings.recognised) == pytest.approx([-200 * 1.01 * 1.1, 50 * 0.99])
    assert c.result.pools.equity[0] == pytest.approx(49.5 - 222.2)


def test_a_cap_far_above_a_speck_overflows_nothing():
    assert recognised(Holding(asset="BTC", amount=1e-305), caps=Caps(asset={"BTC": 1e9})) == pytest.approx([1e-303])


@pytest.mark.parametrize(
    "rules",
    [
        {"haircuts": {"BTC": ()}},
        {"haircuts": {"BTC": (HaircutTier(value_cap=1.0, haircut=1.1),)}},
        {"haircuts": {"BTC": (HaircutTier(value_cap=1.0, haircut=-0.1),)}},
        {"haircuts": {"BTC": (HaircutTier(value_cap=0.0, haircut=0.1),)}},
        {"haircuts": {"BTC": (HaircutTier(value_cap=float("nan"), haircut=0.1),)}},
        {"haircuts": {"BTC": TIERS[::-1]}},
        {"haircuts": {"BTC": (TIERS[0], HaircutTier(value_cap=200.0, haircut=0.05))}},
        {"debt_markup": -0.1},
        {"caps": Caps(asset={"BTC": -1.0})},
        {"caps": Caps(chain={"eip155:1": float("inf")})},
    ],
)
def test_rules_out_of_range_are_refused(rules: dict):
    with pytest.raises(InvalidInput):
        check_rules(Collateral(**rules), where="model")


def test_collateral_of_no_account_touches_another():
    c = desk(
        account(group({BTC_PERP.id: 1.0}), collateral={"BTC": 3.0}),
        account(group({}), collateral={"BTC": 4.0}, id="other"),
        model=plain_model(collateral=Collateral(haircuts=FLAT | {"BTC": TIERS}, caps=Caps(asset={"BTC": 250.0}))),
    )
    # 300 → 210 and 400 → 270, capped at 250: sizes and caps are those of one pool.
    assert c.result.pools.collateral == pytest.approx([210.0, 250.0])
