"""The Dutch auction in which Derive liquidates an account below its maintenance margin.

A solvent account is sold in parts at a falling share of its mark-to-market; an insolvent one is given away with a
growing payment on top, which the security module makes. State and time are arguments: nothing here has a clock.
Amounts are USD (cash stablecoin), fractions of the account lie in [0, 1]. Source: rulebook reference 1.8.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive.native import Part


class AuctionParameters(Part, frozen=True, kw_only=True):
    """How prices fall, and what an auction costs.

    `buffer` is by how much of the risk (mark-to-market less margin) an account must be above maintenance before an
    auction ends. The discount falls from `discount_start` to `discount_cutoff` in `fast_seconds`, then to zero in
    `slow_seconds`. Below a mark-to-market of `mtm_cutoff` all of an account is sold at once.
    """

    buffer: float
    discount_start: float
    discount_cutoff: float
    fast_seconds: int
    slow_seconds: int
    insolvent_seconds: int
    fee_rate: float
    mtm_cutoff: float = 0.0

    def __post_init__(self) -> None:
        where = "auction parameters"
        check.within(self.buffer, "buffer", 0.0, 4.0, where=where)
        check.within(self.discount_start, "first discount", 0.0, 1.0, where=where)
        check.within(self.discount_cutoff, "cut-off discount", 0.0, self.discount_start, where=where)
        for name in ("fast_seconds", "slow_seconds", "insolvent_seconds"):
            check.positive(getattr(self, name), name.replace("_", " "), where=where)
        check.within(self.fee_rate, "fee rate", 0.0, 1.0, where=where)
        check.within(self.mtm_cutoff, "mark-to-market cut-off", 0.0, check.QUANTITY_LIMIT, where=where)


class Account(Part, frozen=True, kw_only=True):
    """What the auction sees of an account: net maintenance margin (in the chosen scenario), mark-to-market with cash,
    and the cash of both. `reserved` is that part of the cash which bidders have paid, and which is not sold again."""

    maintenance: float
    mark_to_market: float
    cash: float
    reserved: float = 0.0

    def __post_init__(self) -> None:
        for name in ("maintenance", "mark_to_market", "cash"):
            check.finite(getattr(self, name), name.replace("_", " "), where="account in auction")
        check.within(self.reserved, "reserved cash", 0.0, check.QUANTITY_LIMIT, where="account in auction")


class Auction(Part, frozen=True, kw_only=True):
    """An auction as it stands: its kind, when it started (seconds of any clock), the account as it is now.

    `fee` is what the security module took at the start.
    """

    kind: Literal["solvent", "insolvent", "ended"]
    started_s: int
    account: Account
    fee: float = 0.0


class Bid(Part, frozen=True, kw_only=True):
    """What a bid took and cost: `fraction` of every balance (of cash only what is not reserved) against `payment`.

    A negative payment is paid to the bidder, by the security module and after it by all. `cash_required` is what the
    bidder's account, which holds nothing but cash, must have. `auction` is what is left.
    """

    fraction: float
    payment: float
    cash_required: float
    auction: Auction


def buffer_margin(account: Account, parameters: AuctionParameters) -> float:
    """BM = MM + buffer·(MM − MtM): the margin with its risk scaled up."""
    return account.maintenance + parameters.buffer * (account.maintenance - account.mark_to_market)


def discount(elapsed_s: float, parameters: AuctionParameters) -> float:
    """The share of mark-to-market at which a solvent account is sold after `elapsed_s`."""
    start, cutoff = parameters.discount_start, parameters.discount_cutoff
    if elapsed_s < parameters.fast_seconds:
        return start - (start - cutoff) * elapsed_s / parameters.fast_seconds
    return max(cutoff * (1.0 - (elapsed_s - parameters.fast_seconds) / parameters.slow_seconds), 0.0)


def solvent_price(account: Account, share: float) -> float:
    """What the whole account costs at a discount of `share`: d·(MtM − R).

    Raises `InvalidInput` where the reserve is above the mark-to-market: such an auction is to be terminated."""
    if account.reserved > account.mark_to_market:
        raise InvalidInput(
            "reserved cash", where="auction", value=account.reserved, limit=f"at most {account.mark_to_market:g}",
            remedy="The account is worth less than what bidders paid: terminate the auction.",
        )  # fmt: skip
    return share * (account.mark_to_market - account.reserved)


def fraction_max(account: Account, share: float, parameters: AuctionParameters) -> float:
    """The fraction after whose sale the buffer margin is zero: BM/(BM − d·MtM − R·(1 − d)); 0 for BM ≥ 0.

    All of the account where it is worth less than the cut-off. It solves (BM − R)(1 − f) + R + f·d·(MtM − R) = 0."""
    if account.mark_to_market < parameters.mtm_cutoff:
        return 1.0
    below = min(buffer_margin(account, parameters), 0.0)
    if below == 0.0:
        return 0.0
    return min(below / (below - share * account.mark_to_market - account.reserved * (1.0 - share)), 1.0)


def liquidation_fee(account: Account, parameters: AuctionParameters) -> float:
    """What the security module takes at the start of a solvent auction: f_max(d = 1, R = 0)·|MtM|·rate."""
    fresh = msgspec.structs.replace(account, reserved=0.0)
    return fraction_max(fresh, 1.0, parameters) * abs(account.mark_to_market) * parameters.fee_rate


def start(account: Account, now_s: int, parameters: AuctionParameters) -> Auction:
    """Open an auction: solvent, after its fee, for an account that is worth something, else insolvent.

    Raises `InvalidInput` unless the net maintenance margin is negative."""
    if account.maintenance >= 0.0:
        raise InvalidInput(
            "net maintenance margin", where="auction", value=account.maintenance, limit="below 0",
            remedy="A healthy account is not liquidated.",
        )  # fmt: skip
    if account.mark_to_market <= 0.0:
        return Auction(kind="insolvent", started_s=now_s, account=msgspec.structs.replace(account, reserved=0.0))
    fee = liquidation_fee(account, parameters)
    paid = Account(
        maintenance=account.maintenance - fee,
        mark_to_market=account.mark_to_market - fee,
        cash=account.cash - fee,
    )
    return Auction(kind="solvent", started_s=now_s, account=paid, fee=fee)


def bid(auction: Auction, fraction: float, now_s: int, parameters: AuctionParameters) -> Bid:
    """Take `fraction` of the account, or as much as is for sale.

    Raises `InvalidInput` for an auction that has ended, or a solvent one that must be converted or terminated first,
    and for a fraction outside (0, 1]."""
    check.within(check.positive(fraction, "fraction", where="bid"), "fraction", 0.0, 1.0, where="bid")
    elapsed = _elapsed(auction, now_s)
    if auction.kind == "ended":
        raise _refused(auction.kind, "Nothing is for sale.")
    if auction.kind == "insolvent":
        return _insolvent_bid(auction, fraction, elapsed, parameters)
    if may_terminate(auction, parameters) or elapsed >= parameters.fast_seconds + parameters.slow_seconds:
        raise _refused(auction.kind, "Terminate or convert the auction first.")
    return _solvent_bid(auction, fraction, elapsed, parameters)


def _solvent_bid(auction: Auction, fraction: float, elapsed: float, parameters: AuctionParameters) -> Bid:
    account, share = auction.account, discount(elapsed, parameters)
    most = fraction_max(account, share, parameters)
    taken = min(fraction, most)
    payment = solvent_price(account, share) * taken
    reserved, kept = account.reserved, 1.0 - taken
    below = min(buffer_margin(account, parameters), 0.0)
    left = Account(
        maintenance=(account.maintenance - reserved) * kept + reserved + payment,
        mark_to_market=(account.mark_to_market - reserved) * kept + reserved + payment,
        cash=(account.cash - reserved) * kept + reserved + payment,
        reserved=reserved + payment,
    )
    return Bid(
        fraction=taken,
        payment=payment,
        cash_required=payment + abs(below - reserved) * taken,
        auction=msgspec.structs.replace(auction, kind="ended" if taken == most else "solvent", account=left),
    )


def insolvent_payout(account: Account, elapsed_s: float, parameters: AuctionParameters) -> float:
    """What a bidder is paid for taking all of an insolvent account: −(m₀ + (MM − m₀)·min(t/L, 1)), m₀ = min(MtM, 0)."""
    least = min(account.mark_to_market, 0.0)
    return -(least + (account.maintenance - least) * min(elapsed_s / parameters.insolvent_seconds, 1.0))


def _insolvent_bid(auction: Auction, fraction: float, elapsed: float, parameters: AuctionParameters) -> Bid:
    account, kept = auction.account, 1.0 - fraction
    payout = insolvent_payout(account, elapsed, parameters) * fraction
    left = Account(
        maintenance=account.maintenance * kept, mark_to_market=account.mark_to_market * kept, cash=account.cash * kept
    )
    return Bid(
        fraction=fraction,
        payment=-payout,
        cash_required=abs(account.maintenance) * fraction - payout,
        auction=msgspec.structs.replace(auction, kind="ended" if fraction == 1.0 else "insolvent", account=left),
    )


def may_terminate(auction: Auction, parameters: AuctionParameters) -> bool:
    """Whether anybody may end the auction: a solvent one when its account is above the buffer, worth nothing, or worth
    no more than the reserve; an insolvent one when its account is above maintenance."""
    account = auction.account
    if auction.kind == "insolvent":
        return account.maintenance >= 0.0
    healthy = buffer_margin(account, parameters) >= 0.0
    return healthy or account.mark_to_market < 0.0 or account.reserved >= account.mark_to_market


def terminate(auction: Auction, now_s: int, parameters: AuctionParameters) -> Auction:
    """End an auction that may be ended; a solvent one whose account is worth less than nothing restarts as insolvent.

    Raises `InvalidInput` where it must go on."""
    if auction.kind == "ended" or not may_terminate(auction, parameters):
        raise _refused(auction.kind, "The account is not out of danger.")
    if auction.kind == "solvent" and auction.account.mark_to_market < 0.0:
        return _as_insolvent(auction, now_s)
    return msgspec.structs.replace(auction, kind="ended")


def convert(auction: Auction, now_s: int, parameters: AuctionParameters) -> Auction:
    """After the slow phase: end the auction if net maintenance margin is not negative, else restart as insolvent.

    Raises `InvalidInput` before the slow phase is over."""
    if auction.kind != "solvent" or _elapsed(auction, now_s) < parameters.fast_seconds + parameters.slow_seconds:
        raise _refused(auction.kind, "Only a solvent auction whose slow phase is over is converted.")
    if auction.account.maintenance >= 0.0:
        return msgspec.structs.replace(auction, kind="ended")
    return _as_insolvent(auction, now_s)


def _as_insolvent(auction: Auction, now_s: int) -> Auction:
    account = msgspec.structs.replace(auction.account, reserved=0.0)
    return msgspec.structs.replace(auction, kind="insolvent", started_s=now_s, account=account)


def _elapsed(auction: Auction, now_s: int) -> float:
    if now_s < auction.started_s:
        raise InvalidInput(
            "time", where="auction", value=now_s, limit=f"not before its start at {auction.started_s}",
            remedy="Give the time of the call.",
        )  # fmt: skip
    return float(now_s - auction.started_s)


def _refused(kind: str, remedy: str) -> InvalidInput:
    return InvalidInput("auction", where="auction", value=kind, limit="in a phase that allows this", remedy=remedy)
