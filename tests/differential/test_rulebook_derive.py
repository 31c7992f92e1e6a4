"""Derive's managers and auction against their plain twins, on random accounts and at the bounds of the parameters."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmargin.margin.rulebooks.derive import auction, pmrm, pmrm2, srm
from crossmargin.margin.rulebooks.derive.native import Portfolio
from spec.rulebooks import derive_auction as plain_auction
from spec.rulebooks import derive_pmrm as plain_pmrm
from spec.rulebooks import derive_pmrm2 as plain_pmrm2
from spec.rulebooks import derive_srm as plain_srm
from tests.margin.rulebooks.derive_books import (
    plain,
    pmrm2_rules,
    pmrm_portfolios,
    pmrm_rules,
    portfolios,
    scale_of,
    srm_portfolios,
    srm_rules,
)

FIELDS = ("initial", "maintenance", "mark_to_market", "basis", "oracle")


@pytest.mark.parametrize("rules", pmrm2_rules(), ids=("mainnet", "test", "high", "low"))
@given(batch=st.lists(portfolios(), min_size=1, max_size=3))
@settings(max_examples=40)
def test_pmrm2_is_its_twin(rules: pmrm2.Pmrm2Parameters, batch: list[Portfolio]):
    margins = pmrm2.margins_of(batch, rules)
    for a, p in enumerate(batch):
        wanted = plain_pmrm2.margin(plain(p), plain(rules))
        # High rules multiply by up to a thousand before they sum.
        close(margins, a, wanted, scale_of(p) * (1e4 if rules.initial_factor == 10.0 else 1.0))


@given(batch=st.lists(pmrm_portfolios(), min_size=1, max_size=3))
@settings(max_examples=60)
def test_pmrm_is_its_twin(batch: list[Portfolio]):
    rules = pmrm_rules()
    margins = pmrm.margins_of(batch, rules)
    for a, p in enumerate(batch):
        close(margins, a, plain_pmrm.margin(plain(p), plain(rules)), scale_of(p))


def close(margins: pmrm.PmrmMargins | pmrm2.Pmrm2Margins, a: int, wanted: dict[str, object], scale: float) -> None:
    near = {"rel": 1e-9, "abs": 1e-12 * scale}
    assert margins.pnl[a].tolist() == pytest.approx(wanted["pnl"], **near)
    for name in FIELDS:
        assert getattr(margins, name)[a] == pytest.approx(wanted[name], **near), name


@given(batch=st.lists(srm_portfolios(), min_size=1, max_size=3))
@settings(max_examples=60)
def test_standard_margin_is_its_twin(batch: list[srm.SrmPortfolio]):
    rules = srm_rules()
    margins = srm.margins_of(batch, rules)
    for a, p in enumerate(batch):
        wanted = plain_srm.margin(plain(p), plain(rules))
        scale = abs(p.cash) + sum(scale_of(srm._as_portfolio(m)) + m.base * m.feeds.spot for m in p.markets)
        near = {"rel": 1e-9, "abs": 1e-12 * scale}
        assert margins.net.initial[a] == pytest.approx(wanted["initial"], **near)
        assert margins.net.maintenance[a] == pytest.approx(wanted["maintenance"], **near)
        assert margins.mark_to_market[a] == pytest.approx(wanted["mark_to_market"], **near)


AUCTION = auction.AuctionParameters(
    buffer=0.15,
    discount_start=0.95,
    discount_cutoff=0.7,
    fast_seconds=900,
    slow_seconds=43_200,
    insolvent_seconds=3_600,
    fee_rate=0.1,
    mtm_cutoff=10.0,
)


@given(
    mark=st.floats(1.0, 1e6), loss=st.floats(1.0, 1e6), cash=st.floats(-1e6, 1e6), elapsed=st.integers(0, 44_099),
    share=st.floats(0.0, 0.9), wanted=st.floats(0.01, 1.0),
)  # fmt: skip
def test_solvent_bids_are_those_of_the_twin(
    mark: float, loss: float, cash: float, elapsed: int, share: float, wanted: float
):
    account = auction.Account(maintenance=-loss, mark_to_market=mark, cash=cash, reserved=mark * share)
    going = auction.Auction(kind="solvent", started_s=0, account=account)
    if auction.may_terminate(going, AUCTION):
        return
    found = auction.bid(going, wanted, elapsed, AUCTION)
    taken, payment, left = plain_auction.solvent_bid(plain(account), wanted, elapsed, plain(AUCTION))
    near = {"rel": 1e-9, "abs": 1e-9 * (mark + loss + abs(cash))}
    assert found.fraction == pytest.approx(float(taken), rel=1e-9)
    assert found.payment == pytest.approx(float(payment), **near)
    for name, value in left.items():
        assert getattr(found.auction.account, name) == pytest.approx(float(value), **near), name


@given(mark=st.floats(-1e6, 1e6), loss=st.floats(1.0, 1e6), elapsed=st.integers(0, 10_000))
def test_insolvent_payouts_are_those_of_the_twin(mark: float, loss: float, elapsed: int):
    account = auction.Account(maintenance=min(mark, 0.0) - loss, mark_to_market=mark, cash=0.0)
    wanted = plain_auction.insolvent_payout(plain(account), elapsed, plain(AUCTION))
    found = auction.insolvent_payout(account, elapsed, AUCTION)
    assert found == pytest.approx(float(wanted), rel=1e-9, abs=1e-6)
    ready = auction.Auction(kind="insolvent", started_s=0, account=account)
    half = auction.bid(ready, 0.5, elapsed, AUCTION)
    assert half.payment == pytest.approx(-0.5 * found)
    assert msgspec.structs.replace(half.auction.account, cash=0.0).maintenance == pytest.approx(
        0.5 * account.maintenance
    )
