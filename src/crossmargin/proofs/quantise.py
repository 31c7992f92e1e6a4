"""Risk arrays and positions as integers, so that a stranger gets the very same loss.

Money counts in quanta of W = 10⁻ᵐ USD. Instrument i has a quantum of P&L uᵢ = 10^−aᵢ USD a unit, and positions in it
count in lots vᵢ = W / uᵢ, so that lots × quanta of P&L are quanta of money for every instrument. Each number is known
to lie in a box:

    F ≤ R/u < F + 1          F = ⌊R/u⌋
    n ≤ q/v ≤ n + b          n = ⌊q/v⌋, b = 0 where q is a whole number of lots, else 1

and the integer P&L of the position is the least that q·R can be in that box,

    T = (n + b·[F < 0]) · (F + [n < 0])          long: R down, and more lots where they lose; short: R up.

So rounding goes against the account, scenario by scenario. Along either edge q·R is linear, so it differs from T by

    0 ≤ q·R/W − T ≤ max(|n|, |n + b|) + b·max(|F|, |F + 1|)

and over an account these add up: the integer worst loss is never below the exact one, and above it by at most
Σ (max(|n|, |n + b|) + b·maxₛ max(|F|, |F + 1|)) quanta of money. With whole lots that is one quantum of P&L for each
unit held. All sums are computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray, IntArray, frozen, require_finite
from crossmargin.core.compile import compiled
from crossmargin.core.errors import InvalidInput

DECIMALS_MAX: Final = 18  # 10¹⁸ is a float64 without error, and a 64-bit integer.
MONEY_DECIMALS: Final = 12
DIGITS: Final = 9  # Of the largest P&L of an instrument: its quantum is a billionth of it.
ROW_LIMIT: Final = 1 << 62
LIMB_BITS: Final = 11  # Three limbs of a P&L of nine digits; then 2⁵¹ lots fit, 22 million coins of eight decimals.
LIMB: Final = 1 << LIMB_BITS
_SPLIT: Final = 134_217_729.0  # 2²⁷ + 1, Veltkamp's constant for float64.


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerPnl:
    """R in quanta [instrument, scenario], rounded down; `decimals` [instrument] are the aᵢ."""

    instruments: tuple[str, ...]
    scenarios: tuple[str, ...]
    quanta: IntArray
    decimals: IntArray
    money_decimals: int

    @property
    def lot_decimals(self) -> IntArray:
        """Decimals of a lot [instrument]: m − aᵢ."""
        return self.money_decimals - self.decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerBook:
    """Positions in lots [position] by account, as CSR; `open` says where a position is between `lots` and one more."""

    ptr: IntArray
    instrument: IntArray
    lots: IntArray
    open: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Whether the engine's losses and the integer ones agree for all accounts of an epoch.

    `excess_usd` [account] is integer − float loss; it must lie in [−slack, bound + slack]. `refused` are the accounts
    where it does not."""

    accepted: bool
    refused: IntArray
    excess_usd: FloatArray
    bound_usd: FloatArray
    slack_usd: FloatArray


def pnl_decimals(pnl: FloatArray, *, money_decimals: int = MONEY_DECIMALS) -> IntArray:
    """aᵢ such that the largest P&L of an instrument has nine digits [instrument], within [0, m]."""
    largest = np.abs(pnl).max(axis=1, initial=0.0)
    before = np.ceil(np.log10(largest, out=np.full(len(pnl), -np.inf), where=largest > 0.0))
    return np.asarray(np.clip(DIGITS - before, 0, money_decimals), dtype=np.int64)


def quantise_pnl(
    pnl: FloatArray,
    *,
    instruments: Sequence[str],
    scenarios: Sequence[str],
    decimals: IntArray | None = None,
    money_decimals: int = MONEY_DECIMALS,
) -> IntegerPnl:
    """R [instrument, scenario], USD a unit, in whole quanta rounded down; `decimals` as `pnl_decimals` has them.

    Raises `InvalidInput` for a P&L that is not finite or beyond 2⁶² quanta, and for decimals outside [0, m]."""
    if not 0 <= money_decimals <= DECIMALS_MAX:
        raise _beyond("decimals of money", "quanta", money_decimals, f"from 0 to {DECIMALS_MAX}")
    require_finite(pnl, "P&L", where="risk array", names=tuple(instruments))
    chosen = pnl_decimals(pnl, money_decimals=money_decimals) if decimals is None else decimals
    if ((chosen < 0) | (chosen > money_decimals)).any():
        raise _beyond("decimals of P&L", "quanta", chosen.tolist(), f"from 0 to {money_decimals}")
    return IntegerPnl(
        instruments=tuple(instruments),
        scenarios=tuple(scenarios),
        quanta=frozen(scaled_floor(pnl, chosen[:, None], where="risk array"), np.int64),
        decimals=frozen(chosen, np.int64),
        money_decimals=money_decimals,
    )


def quantise_positions(ptr: IntArray, instrument: IntArray, quantity: FloatArray, pnl: IntegerPnl) -> IntegerBook:
    """Positions [position] of accounts (CSR) in lots of `pnl`.

    A float that is the nearest one to a decimal number of whole lots is taken to be that number: 0.1 is a tenth."""
    require_finite(quantity, "quantity", where="positions")
    decimals = pnl.lot_decimals[instrument]
    floor = scaled_floor(quantity, decimals, where="positions")
    scale = 10.0**decimals
    nearest = np.rint(quantity * scale)
    whole = (nearest / scale == quantity) & (np.abs(nearest) < 2.0**53)
    lots = np.where(whole, nearest.astype(np.int64), floor)
    return IntegerBook(
        ptr=frozen(ptr, np.int64),
        instrument=frozen(instrument, np.int64),
        lots=frozen(lots, np.int64),
        open=frozen(~whole, np.bool_),
    )


def scaled_floor(values: FloatArray, decimals: IntArray, *, where: str) -> IntArray:
    """⌊value · 10^decimals⌋, exact: the rounding error of the product is computed and taken into account.

    Source: Dekker (1971), "A floating-point technique for extending the available precision", Numerische Mathematik 18.
    Raises `InvalidInput` beyond 2⁶²."""
    scale = np.asarray(10.0**decimals, dtype=np.float64)
    product = values * scale
    if not (np.abs(product) < ROW_LIMIT).all():
        raise _beyond("value", where, float(values.flat[np.abs(product).argmax()]), "below 2⁶² quanta")
    high, scale_high = _upper(values), _upper(scale)
    low, scale_low = values - high, scale - scale_high
    error = ((high * scale_high - product) + high * scale_low + low * scale_high) + low * scale_low
    floor = np.floor(product)
    whole = (floor == product).astype(np.int64)
    return np.asarray(floor.astype(np.int64) + whole * np.floor(error).astype(np.int64), dtype=np.int64)


def _upper(values: FloatArray) -> FloatArray:
    """The upper 26 bits of each mantissa."""
    wide = values * _SPLIT
    return np.asarray(wide - (wide - values))


def position_pnl(lots: int, between: bool, quanta: Sequence[int]) -> list[int]:
    """Integer P&L of one position in each scenario, quanta of money: the T of this module."""
    short = lots < 0
    return [(lots + (between and f < 0)) * (f + short) for f in quanta]


def worst_loss(lots: Sequence[int], between: Sequence[bool], rows: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The greatest loss of one account, quanta of money, not floored, and its scenario: the first of equal ones.

    `rows` are the quanta of P&L of each position's instrument. Without positions it is 0, and the scenario −1."""
    if not lots:
        return 0, -1
    positions = [position_pnl(*one) for one in zip(lots, between, rows, strict=True)]
    totals = [sum(column) for column in zip(*positions, strict=True)]
    least = min(totals)
    return -least, totals.index(least)


def worst_losses(book: IntegerBook, pnl: IntegerPnl) -> tuple[list[int], IntArray]:
    """`worst_loss` of every account: losses, and scenarios [account].

    Raises `InvalidInput` where the sums of an account might pass what is computed exactly: 2⁵¹ lots, or fewer where the
    P&L has more than 33 bits."""
    accounts = book.ptr.size - 1
    high, low, worst = (np.zeros(accounts, dtype=np.int64) for _ in range(3))
    if pnl.quanta.size == 0:
        return [0] * accounts, worst - 1
    size = np.concatenate([[0.0], np.cumsum(np.abs(book.lots.astype(np.float64)) + book.open)])
    gross = float((size[book.ptr[1:]] - size[book.ptr[:-1]]).max(initial=0.0)) * (1.0 + 1e-9)
    reach = max(int(np.abs(pnl.quanta).max()) >> 2 * LIMB_BITS, LIMB) + 2
    if gross * reach >= ROW_LIMIT:
        raise _beyond("gross position", "integer losses", gross, f"below {ROW_LIMIT // reach} lots")
    _worst_loop(book.ptr, book.instrument, book.lots, book.open, pnl.quanta, high, low, worst)
    return [-(h * LIMB**2 + t) for h, t in zip(high.tolist(), low.tolist(), strict=True)], worst


@compiled()
def _worst_loop(
    ptr: np.ndarray,
    instrument: np.ndarray,
    lots: np.ndarray,
    between: np.ndarray,
    quanta: np.ndarray,
    high_out: np.ndarray,
    low_out: np.ndarray,
    worst: np.ndarray,
) -> None:
    """P&L of each scenario in three limbs, F = high · 2²² + middle · 2¹¹ + low, carried once an account; the least."""
    scenarios = quanta.shape[1]
    high, middle, low = np.empty((3, scenarios), dtype=np.int64)
    for account in range(ptr.size - 1):
        high[:] = 0
        middle[:] = 0
        low[:] = 0
        for p in range(ptr[account], ptr[account + 1]):
            row, held, one = quanta[instrument[p]], lots[p], np.int64(between[p])
            short = np.int64(held < 0)
            for s in range(scenarios):
                count = held + one * np.int64(row[s] < 0)
                moved = row[s] + short
                high[s] += count * (moved >> 22)
                middle[s] += count * ((moved >> 11) & 2047)
                low[s] += count * (moved & 2047)
        best = -1
        for s in range(scenarios):
            middle[s] += low[s] >> 11
            high[s] += middle[s] >> 11
            low[s] = ((middle[s] & 2047) << 11) | (low[s] & 2047)
            if best < 0 or high[s] < high[best] or (high[s] == high[best] and low[s] < low[best]):
                best = s
        if ptr[account + 1] > ptr[account]:
            high_out[account], low_out[account], worst[account] = high[best], low[best], best
        else:
            worst[account] = -1


def error_bound(book: IntegerBook, pnl: IntegerPnl) -> FloatArray:
    """How far the integer loss may be above the exact one [account], USD: the bound of this module."""
    reach = np.maximum(np.abs(pnl.quanta), np.abs(pnl.quanta + 1)).max(axis=1, initial=0)[book.instrument]
    lots = np.maximum(np.abs(book.lots), np.abs(book.lots + book.open)).astype(np.float64)
    return _by_account(book.ptr, lots + book.open * reach.astype(np.float64)) * 10.0**-pnl.money_decimals


def audit(loss_usd: FloatArray, quantity: FloatArray, pnl_usd: FloatArray, book: IntegerBook, pnl: IntegerPnl) -> Audit:
    """Accept or refuse an epoch: the engine's worst loss [account], USD and not floored, beside the integer one.

    The slack is what float64 may do to the engine's own sum of N products, (N + 4)·2⁻⁵³·Σ|q|·maxₛ|R|. Source: Higham
    (2002), "Accuracy and stability of numerical algorithms", section 3.1."""
    integer = np.array([float(loss) for loss in worst_losses(book, pnl)[0]]) * 10.0**-pnl.money_decimals
    gross = _by_account(book.ptr, np.abs(quantity) * np.abs(pnl_usd).max(axis=1, initial=0.0)[book.instrument])
    slack = (np.diff(book.ptr) + 4) * 2.0**-53 * gross
    bound, excess = error_bound(book, pnl), integer - loss_usd
    refused = np.flatnonzero(~((excess >= -slack) & (excess <= bound + slack)))
    return Audit(accepted=refused.size == 0, refused=refused, excess_usd=excess, bound_usd=bound, slack_usd=slack)


def _by_account(ptr: IntArray, amount: FloatArray) -> FloatArray:
    account = np.repeat(np.arange(ptr.size - 1), np.diff(ptr))
    return np.bincount(account, weights=amount, minlength=ptr.size - 1).astype(np.float64, copy=False)


def _beyond(what: str, where: str, value: object, limit: str) -> InvalidInput:
    return InvalidInput(what, where=where, value=value, limit=limit, remedy="Choose quanta that fit the size.")
