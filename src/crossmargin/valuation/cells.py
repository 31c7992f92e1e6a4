"""What the revaluation of options is asked: rows, smiles, shocks and financing, and the form its loops read them in."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from crossmargin.valuation.blocks import uniform


class Model(Enum):
    """How a price follows from moneyness and volatility."""

    BLACK = "black"  # lognormal forward; moneyness ln(K/F), value in units of the forward
    NORMAL = "normal"  # normal forward; moneyness (K − F)/scale, value in units of scale
    AMERICAN = "american"  # lognormal forward and the right to exercise early; units as for BLACK, needs financing


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRows:
    """European options, one row each.

    `moneyness`: ln(K/F) at the snapshot (normal model: (K − F)/scale). `right`: +1 call, −1 put. `slice_index`: the
    row of the smiles and shocks that the option belongs to. `multiplier`: units of the underlying per contract."""

    moneyness: Float[ndarray, "option"]
    right: Float[ndarray, "option"]
    slice_index: Int[ndarray, "option"]
    multiplier: Float[ndarray, "option"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSmiles:
    """The smile of each slice at the snapshot, as a weighted sum of two raw SVI total variances.

    w(k) = weight_low · w_low(k) + weight_high · w_high(k), each w = a + b(ρ(k − m) + √((k − m)² + σ²)), columns
    (a, b, rho, m, sigma). A listed expiry has weights (1, 0); one between two listed ones has both. `tau`: years to
    expiry at the snapshot; an expired slice (0) is worth its intrinsic value. `numeraire`: USD value of one unit of
    the model's price, which is the settlement asset's price for an inverse option (its value in coin is C/F),
    D·F·(settlement price) for a linear one, D·scale·(settlement price) in the normal model."""

    low: Float[ndarray, "slice 5"]
    high: Float[ndarray, "slice 5"]
    weight_low: Float[ndarray, "slice"]
    weight_high: Float[ndarray, "slice"]
    tau: Float[ndarray, "slice"]
    numeraire: Float[ndarray, "slice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceShocks:
    """What each scenario does to each slice.

    `move`: ln(F'/F) (normal model: (F' − F)/scale). `tau`: years to expiry at the horizon, max(τ − h, 0).
    `vol_multiplier`: factor on implied volatility. `vol_floor`: least volatility after the shock, 0 for none.
    `skew_slope`, `skew_cap`, `smile_slope`, `smile_cap`: see `shape` in the module's formula; all 0 for none.
    `numeraire`: as in `SliceSmiles`, in the scenario."""

    move: Float[ndarray, "slice scenario"]
    tau: Float[ndarray, "slice scenario"]
    vol_multiplier: Float[ndarray, "slice scenario"]
    vol_floor: Float[ndarray, "slice scenario"]
    skew_slope: Float[ndarray, "slice scenario"]
    skew_cap: Float[ndarray, "slice scenario"]
    smile_slope: Float[ndarray, "slice scenario"]
    smile_cap: Float[ndarray, "slice scenario"]
    numeraire: Float[ndarray, "slice scenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Financing:
    """What an American option needs beside the forward: discounting and carry, integrated to expiry, no unit.

    `rate`: −ln D, the log of what cash grows by until expiry. `carry`: ln(F/S), what the underlying grows by; 0 for an
    option on a future. `rate_after`, `carry_after`: the same from the horizon on, in each scenario."""

    rate: Float[ndarray, "slice"]
    carry: Float[ndarray, "slice"]
    rate_after: Float[ndarray, "slice scenario"]
    carry_after: Float[ndarray, "slice scenario"]


def unshocked(smiles: SliceSmiles) -> SliceShocks:
    """The single scenario in which nothing moves and no time passes; shapes [slice, 1]."""
    zero = np.zeros((smiles.tau.size, 1))
    return SliceShocks(
        move=zero,
        tau=smiles.tau[:, None],
        vol_multiplier=np.ones_like(zero),
        vol_floor=zero,
        skew_slope=zero,
        skew_cap=zero,
        smile_slope=zero,
        smile_cap=zero,
        numeraire=smiles.numeraire[:, None],
    )


class Cells(NamedTuple):
    """What the compiled loop reads. All that does not depend on both option and scenario is worked out once, here."""

    moneyness: ndarray  # [option]
    right: ndarray
    slice_index: ndarray
    multiplier: ndarray
    base: ndarray  # unit value at the snapshot
    low: ndarray  # [slice 5]
    high: ndarray
    weight_low: ndarray  # [slice]
    weight_high: ndarray
    shaped: ndarray  # whether any scenario bends the smile
    move: ndarray  # [slice scenario]
    growth: ndarray  # F/F', so that K/F' needs no exp per cell
    read_move: ndarray  # the part of the move that the smile follows
    vol_scale: ndarray  # multiplier · √(τ'/τ), on √w
    vol_floor: ndarray  # floor · √τ'
    numeraire: ndarray
    shape: ndarray  # [4 slice scenario]: skew slope and cap, smile slope and cap
    rate: ndarray  # [slice scenario], American options only: −ln D from the horizon to expiry
    payout: ndarray  # [slice scenario]: what the underlying pays over the same time, as a log
    damping: ndarray  # [scenario]


def cells_of(
    rows: OptionRows,
    smiles: SliceSmiles,
    shocks: SliceShocks,
    damping: Float[ndarray, "scenario"],
    base: Float[ndarray, "option"],
    sticky: float,
    financing: Financing | None,
) -> Cells:
    """Bring rows, smiles and shocks to the form and layout that the compiled loops read, and trust."""
    index, slices = rows.slice_index, smiles.tau.size
    assert index.size == 0 or (index.min() >= 0 and index.max() < slices), "options are of slices that exist"
    tau, tau_after = smiles.tau[:, None], np.maximum(shocks.tau, 0.0)
    ratio = np.divide(tau_after, tau, out=np.zeros_like(tau_after), where=tau > 0.0)
    shape = _shape(shocks)
    nothing = np.zeros((0, 0))
    rate, carry = (financing.rate_after, financing.carry_after) if financing else (nothing, nothing)
    return Cells(
        moneyness=uniform(rows.moneyness),
        right=uniform(rows.right),
        slice_index=uniform(rows.slice_index, np.int64),
        multiplier=uniform(rows.multiplier),
        base=uniform(base),
        low=uniform(smiles.low),
        high=uniform(smiles.high),
        weight_low=uniform(smiles.weight_low),
        weight_high=uniform(smiles.weight_high),
        shaped=uniform((shape[0] * shape[1] != 0.0).any(axis=1) | (shape[2] * shape[3] != 0.0).any(axis=1), np.bool_),
        move=uniform(shocks.move),
        growth=uniform(np.exp(-shocks.move)),
        read_move=uniform(sticky * shocks.move),
        vol_scale=uniform(_tainted(shocks.vol_multiplier, shocks.vol_floor) * np.sqrt(ratio)),
        vol_floor=uniform(shocks.vol_floor * np.sqrt(tau_after)),
        numeraire=uniform(shocks.numeraire),
        shape=uniform(shape),
        rate=uniform(rate),
        payout=uniform(rate - carry),
        damping=uniform(damping),
    )


def _shape(shocks: SliceShocks) -> ndarray:
    """Slopes and caps [4, slice, scenario]; without a column, which no loop then reads, where no scenario bends."""
    bends = shocks.skew_slope, shocks.skew_cap, shocks.smile_slope, shocks.smile_cap
    if not any(bend.any() for bend in bends):
        return np.zeros((4, len(shocks.move), 0))
    return np.stack([_tainted(bends[0], bends[1]), bends[1], _tainted(bends[2], bends[3]), bends[3]])


def _tainted(x: ndarray, limit: ndarray) -> ndarray:
    """`x`, NaN where its limit is: `min` and `max` would drop the NaN of their second argument."""
    return np.where(np.isnan(limit), np.nan, x)
