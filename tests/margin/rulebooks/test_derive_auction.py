"""The Dutch auction of Derive's liquidations: hand-made bids, its end, and what must hold for every bid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive import auction
from crossmargin.margin.rulebooks.derive.evaluating import PMRM2

RULES = auction.AuctionParameters(
    buffer=0.2,
    discount_start=0.9,
    discount_cutoff=0.5,
    fast_seconds=100,
    slow_seconds=400,
    insolvent_seconds=50,
    fee_rate=0.1,
)
# Worth 100, 20 below maintenance: BM = −20 + 0.2·(−20 − 100) = −44.
SHORT = auction.Account(maintenance=-20.0, mark_to_market=100.0, cash=30.0)


def going(account: auction.Account = SHORT, kind: str = "solvent") -> auction.Auction:
    return auction.Auction(kind=kind, started_s=1_000, account=account)


def test_the_discount_falls_fast_then_slowly_to_zero():
    found = [auction.discount(t, RULES) for t in (0, 50, 100, 300, 500, 9_999)]
    assert found == pytest.approx([0.9, 0.7, 0.5, 0.25, 0.0, 0.0])


def test_the_shipped_auction_is_that_of_the_mainnet_script():
    shipped = PMRM2.load("2026-01-21").auction
    assert auction.discount(0, shipped) == 0.95
    assert auction.discount(900, shipped) == pytest.approx(0.70)
    assert auction.discount(900 + 43_200, shipped) == 0.0


def test_a_first_bid_by_hand():
    # At the start d = 0.9: f_max = −44/(−44 − 90) = 44/134. Half of the account is more than that.
    found = auction.bid(going(), 0.5, 1_000, RULES)
    taken = 44.0 / 134.0
    assert found.fraction == pytest.approx(taken)
    assert found.payment == pytest.approx(90.0 * taken)
    assert found.cash_required == pytest.approx(90.0 * taken + 44.0 * taken)
    assert found.auction.kind == "ended"
    assert auction.buffer_margin(found.auction.account, RULES) == pytest.approx(0.0, abs=1e-9)
    # Its 70 of other things and its 30 of cash are sold in proportion, and the payment stays.
    assert found.auction.account.cash == pytest.approx(30.0 * (1.0 - taken) + 90.0 * taken)


def test_what_bidders_paid_is_not_sold_again():
    first = auction.bid(going(), 0.1, 1_050, RULES)  # d = 0.7: pays 7
    assert first.payment == pytest.approx(7.0)
    assert first.auction.kind == "solvent"
    left = first.auction.account
    assert (left.reserved, left.cash) == pytest.approx((7.0, 27.0 + 7.0))
    assert left.mark_to_market == pytest.approx(90.0 + 7.0)
    second = auction.bid(first.auction, 0.1, 1_050, RULES)
    assert second.payment == pytest.approx(0.7 * (97.0 - 7.0) * 0.1)
    assert second.auction.account.cash == pytest.approx(34.0 - 0.1 * (34.0 - 7.0) + 6.3)


def test_the_fee_is_taken_once_at_the_start():
    # f_max at d = 1, R = 0 is 44/144; a tenth of 100·that.
    started = auction.start(SHORT, 5, RULES)
    fee = 0.1 * 100.0 * 44.0 / 144.0
    assert (started.kind, started.started_s) == ("solvent", 5)
    assert started.fee == pytest.approx(fee)
    assert started.account.cash == pytest.approx(30.0 - fee)
    assert started.account.maintenance == pytest.approx(-20.0 - fee)


def test_an_account_worth_less_than_nothing_is_given_away():
    broke = auction.Account(maintenance=-60.0, mark_to_market=-10.0, cash=5.0)
    started = auction.start(broke, 0, RULES)
    assert (started.kind, started.fee) == ("insolvent", 0.0)
    # Pays 10 at once, 60 from 50 s on: 35 half way.
    assert [auction.insolvent_payout(broke, t, RULES) for t in (0, 25, 50, 80)] == pytest.approx([10, 35, 60, 60])
    found = auction.bid(started, 0.4, 25, RULES)
    assert found.payment == pytest.approx(-14.0)
    assert found.cash_required == pytest.approx(24.0 - 14.0)
    assert found.auction.account.maintenance == pytest.approx(-36.0)
    assert auction.bid(found.auction, 1.0, 25, RULES).auction.kind == "ended"


def test_a_solvent_auction_that_ran_out_pays_from_nothing():
    late = auction.convert(going(), 1_500, RULES)
    assert (late.kind, late.started_s) == ("insolvent", 1_500)
    assert auction.insolvent_payout(late.account, 0, RULES) == 0.0  # worth 100: m₀ = 0
    assert auction.insolvent_payout(late.account, 50, RULES) == pytest.approx(20.0)
    with pytest.raises(InvalidInput, match="slow phase"):
        auction.convert(going(), 1_499, RULES)
    with pytest.raises(InvalidInput, match="Terminate or convert"):
        auction.bid(going(), 0.1, 1_500, RULES)
    healthy = auction.Account(maintenance=1.0, mark_to_market=100.0, cash=30.0)
    assert auction.convert(going(healthy), 1_500, RULES).kind == "ended"


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        (auction.Account(maintenance=50.0, mark_to_market=100.0, cash=0.0), "ended"),  # BM = 40
        (auction.Account(maintenance=-50.0, mark_to_market=-1.0, cash=0.0), "insolvent"),
        (auction.Account(maintenance=-50.0, mark_to_market=10.0, cash=20.0, reserved=10.0), "ended"),
    ],
)
def test_a_solvent_auction_may_be_terminated(account: auction.Account, kind: str):
    assert auction.may_terminate(going(account), RULES)
    assert auction.terminate(going(account), 1_010, RULES).kind == kind


def test_no_auction_ends_before_its_account_is_out_of_danger():
    with pytest.raises(InvalidInput, match="out of danger"):
        auction.terminate(going(), 1_010, RULES)
    # Above maintenance, but not above the buffer: 1 + 0.2·(1 − 100) < 0.
    edge = auction.Account(maintenance=1.0, mark_to_market=100.0, cash=0.0)
    with pytest.raises(InvalidInput, match="out of danger"):
        auction.terminate(going(edge), 1_010, RULES)
    assert auction.terminate(going(edge, "insolvent"), 1_010, RULES).kind == "ended"


def test_refusals():
    with pytest.raises(InvalidInput, match="healthy account"):
        auction.start(auction.Account(maintenance=0.0, mark_to_market=1.0, cash=0.0), 0, RULES)
    with pytest.raises(InvalidInput, match="not before its start"):
        auction.bid(going(), 0.1, 999, RULES)
    with pytest.raises(InvalidInput, match="Nothing is for sale"):
        auction.bid(going(kind="ended"), 0.1, 1_000, RULES)
    for fraction in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(InvalidInput, match="fraction"):
            auction.bid(going(), fraction, 1_000, RULES)
    with pytest.raises(InvalidInput, match="reserved cash"):
        auction.solvent_price(auction.Account(maintenance=-1.0, mark_to_market=1.0, cash=9.0, reserved=2.0), 0.5)


def test_below_the_cut_off_all_is_sold():
    rules = auction.AuctionParameters(
        **{name: getattr(RULES, name) for name in RULES.__struct_fields__} | {"mtm_cutoff": 101.0}
    )
    assert auction.fraction_max(SHORT, 0.9, rules) == 1.0


@given(
    mark=st.floats(1.0, 1e6), loss=st.floats(0.01, 1e6), share=st.floats(0.0, 0.9), elapsed=st.integers(0, 499),
    wanted=st.floats(0.001, 1.0),
)  # fmt: skip
def test_a_bid_never_lowers_the_margin_nor_overshoots_the_buffer(
    mark: float, loss: float, share: float, elapsed: int, wanted: float
):
    account = auction.Account(maintenance=-loss, mark_to_market=mark, cash=mark, reserved=share * mark)
    found = auction.bid(going(account), wanted, 1_000 + elapsed, RULES)
    before, after = auction.buffer_margin(account, RULES), auction.buffer_margin(found.auction.account, RULES)
    noise = 1e-9 * (mark + loss)
    assert before - noise <= after <= noise
    assert 0.0 <= found.fraction <= wanted
    assert found.payment >= 0.0
    assert (found.auction.kind == "ended") == (abs(after) <= noise or found.fraction < wanted)
