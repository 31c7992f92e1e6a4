"""Who the terms of chains are for: shares that add up, and what each term is without a token or a bridge."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import crossmargin as xm
from crossmargin.engine.collateral_risk import chain_factors
from crossmargin.engine.explaining.chain_attribution import (
    chain_term_shares,
    holding_term_shares,
    without_each_holding,
)
from crossmargin.engine.token_reports import ChainTermShare
from crossmargin.engine.whatif import prepare
from crossmargin.margin.chain_terms import CHAIN_TERMS
from crossmargin.market.representations.document import Transfer
from crossmargin.portfolio.document import Holding
from tests.chain_books import (
    BRIDGED,
    FORGED,
    HOME,
    HOPPED,
    ROLLUP,
    THIN,
    USDC,
    USDC_ROLLUP,
    Pool,
    chains,
    holding,
    pool,
)
from tests.chain_books import registry as records
from tests.margin.desk import BTC_PERP, plain_model

FREE = records(share=0.9)
SHAKY = replace(plain_model().grid, stable_peg=0.02)
NEEDED = {BTC_PERP.id: 1e6}
WEEK_S = 7 * 86_400.0
SLOW = {USDC_ROLLUP: {"transfer": Transfer(route="exit", p50_s=WEEK_S, p95_s=WEEK_S, cost_usd=5.0, cost_bps=10.0)}}
ALL = (USDC, USDC_ROLLUP, BRIDGED, THIN, HOPPED, FORGED)
PLACES = st.sampled_from([*ALL, "", HOME, ROLLUP])
HELD = st.lists(st.tuples(PLACES, st.floats(-1e3, 1e5)), min_size=1, max_size=6, unique_by=lambda x: x[0])


def of(place: str, amount: float) -> Holding:
    """A token, or USDC on a chain that names no instance, or on none."""
    return holding(place, amount) if "/" in place else Holding(asset="USDC", chain=place, amount=amount)


def shares_of(found: Pool) -> tuple[ChainTermShare, ...]:
    what = prepare(found.book, found.result.plan)
    return chain_term_shares(what.base, without_each_holding(what))


def added(shares: tuple[ChainTermShare, ...], term: str, kind: str) -> float:
    return sum(one.share_usd for one in shares if (one.term, one.kind) == (term, kind))


@settings(max_examples=25, deadline=None)
@given(HELD, st.floats(0.0, 1e4), st.sampled_from([0.2, 0.9]))
def test_shares_add_up_to_their_term(held: list[Any], size: float, share: float):
    said = chains(needed_on=HOME, tokens=SLOW)
    needs, known = {BTC_PERP.id: size}, records(share=share)
    found = pool(*(of(x, a) for x, a in held), said=said, known=known, grid=SHAKY, positions=needs)
    shares, factors = shares_of(found), chain_factors(found.result.plan.model)
    for term, factor in zip(CHAIN_TERMS, factors, strict=True):
        assert added(shares, term, "holding") == pytest.approx(factor.initial * found.term(term), rel=1e-9, abs=1e-6)
    assert added(shares, "bridge", "bridge") == pytest.approx(factors[0].initial * found.term("bridge"), abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(HELD, st.floats(1.0, 1e4))
def test_without_a_holding_is_the_book_without_it(held: list[Any], size: float):
    said = chains(needed_on=HOME, tokens=SLOW)
    lines = [of(x, a) for x, a in held]
    found = pool(*lines, said=said, known=FREE, grid=SHAKY, positions={BTC_PERP.id: size})
    shares = {(one.term, one.name): one.marginal_usd for one in shares_of(found) if one.kind == "holding"}
    for line in (one for one in lines if one.instance or one.chain):
        rest = [one for one in lines if one is not line]
        fewer = pool(*rest, said=said, known=FREE, grid=SHAKY, positions={BTC_PERP.id: size})
        for term in CHAIN_TERMS:
            expected = found.term(term) - fewer.term(term)
            name = f"USDC.{line.instance or line.chain}"
            assert shares.get((term, name), 0.0) == pytest.approx(expected, rel=1e-7, abs=1e-5)


def test_the_two_bridges_that_fail_have_what_stands_behind_them():
    """780 − 150 behind three verifiers, 780 − 400 behind two; without one of them nothing else can fail."""
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), holding(THIN, 1000.0), known=FREE, positions=NEEDED)
    of = {one.name: (one.share_usd, one.marginal_usd) for one in shares_of(found) if one.term == "bridge"}
    assert of["three"] == pytest.approx((630.0, 630.0))
    assert of["two"] == pytest.approx((380.0, 380.0))
    assert of[f"USDC.{BRIDGED}"] == pytest.approx((630.0, 630.0))
    assert of[f"USDC.{THIN}"] == pytest.approx((380.0, 380.0))


def test_of_two_bridges_behind_one_token_each_has_half():
    found = pool(holding(USDC, 1e6), holding(HOPPED, 1000.0), known=FREE, positions=NEEDED)
    lost = (1.0 - 0.22**2) * 1000.0 - 490.0
    of = {one.name: (one.share_usd, one.marginal_usd) for one in shares_of(found) if one.kind == "bridge"}
    alone = lost - (0.78 * 1000.0 - 490.0)  # The other one may still fail, so neither takes all of it away.
    assert of["three"] == of["two"] == pytest.approx((lost / 2.0, alone))


def test_what_arrives_first_spares_and_what_arrives_late_costs():
    said = chains(needed_on=HOME, tokens=SLOW)
    found = pool(holding(USDC, 120.0), holding(USDC_ROLLUP, 1e4), said=said, positions={BTC_PERP.id: 10.0})
    of = {(one.term, one.name): one for one in shares_of(found)}
    late, first = of["finality", f"USDC.{USDC_ROLLUP}"], of["finality", f"USDC.{USDC}"]
    assert late.share_usd == pytest.approx(found.term("finality"))
    assert late.marginal_usd == pytest.approx(found.term("finality"))
    assert first.share_usd == 0.0
    assert first.marginal_usd < 0.0
    assert of["transfer", f"USDC.{USDC_ROLLUP}"].share_usd == pytest.approx(5.0 + 80.0 * 10e-4)


def test_a_hedge_on_a_chain_has_less_than_nothing_in_its_halt():
    """What haircuts took off covers a part of the loss of the others there."""
    found = pool(holding(USDC_ROLLUP, 1e5), holding(BRIDGED, 1e3), known=FREE, grid=SHAKY, positions=NEEDED)
    of = {one.name: one.share_usd for one in shares_of(found) if one.term == "availability"}
    assert of[f"USDC.{USDC_ROLLUP}"] == pytest.approx(0.005 * 2_000.0)
    assert of[f"USDC.{BRIDGED}"] == pytest.approx(0.005 * (20.0 - 150.0))


def test_holdings_of_another_pool_have_no_part_in_it():
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1e3), known=FREE, positions=NEEDED)
    risk = found.result.plan.chain_risk
    assert risk is not None
    parts = holding_term_shares(found.result, risk)
    assert parts.shape == (2, len(CHAIN_TERMS))
    assert np.isfinite(parts).all()
    held = Holding(asset="USDC", amount=1e6)
    assert shares_of(pool(held, positions=NEEDED)) == ()


def test_the_report_has_them():
    found = pool(holding(USDC, 1e6), holding(BRIDGED, 1000.0), known=FREE, positions=NEEDED)
    book, (account,) = found.book, found.book.accounts
    report = xm.explain(book, found.snapshot, found.result.plan.model, account=account)
    assert report.by_chain_term == shares_of(found)
    assert {one.term for one in report.by_chain_term} == {"bridge"}


@settings(max_examples=10, deadline=None)
@given(HELD, st.floats(1.0, 1e4))
def test_a_bridge_that_is_spared_takes_at_most_the_term(held: list[Any], size: float):
    found = pool(*(of(x, a) for x, a in held), known=FREE, positions={BTC_PERP.id: size})
    term = found.term("bridge")
    for one in shares_of(found):
        if one.kind == "bridge":
            assert -1e-9 <= one.marginal_usd <= term + 1e-9
            assert -1e-9 <= one.share_usd <= term + 1e-9
