"""One option in one scenario, revalued from the moved forward and the shocked smile."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spec.kernels.american import american_values
from spec.kernels.bachelier import normal_values
from spec.kernels.black76 import black_values


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One option and one scenario. `moneyness` is ln(K/F), or (K − F)/scale in the normal model; `smile` a list of
    raw SVI slices with their weights; `rate` and `carry` are −ln D and ln(F/S) from the horizon to expiry."""

    moneyness: float
    right: float
    smile: Sequence[tuple[float, tuple[float, float, float, float, float]]]
    tau: float
    tau_after: float
    move: float = 0.0
    sticky: float = 1.0
    vol_multiplier: float = 1.0
    vol_floor: float = 0.0
    skew_slope: float = 0.0
    skew_cap: float = 0.0
    smile_slope: float = 0.0
    smile_cap: float = 0.0
    numeraire: float = 1.0
    rate: float = 0.0
    carry: float = 0.0
    model: str = "black"


def total_vol(cell: Cell) -> float:
    """σ'√τ' of the shocked smile."""
    if cell.tau <= 0.0:
        return 0.0
    read = cell.moneyness - cell.sticky * cell.move
    w = sum(weight * svi(slice_, read) for weight, slice_ in cell.smile)
    k = cell.moneyness - cell.move
    shape = 1.0 + clip(cell.skew_slope * k, cell.skew_cap) + clip(cell.smile_slope * abs(k), cell.smile_cap)
    vol = math.sqrt(max(w, 0.0) / cell.tau) * cell.vol_multiplier * max(shape, 0.0)
    return max(vol, cell.vol_floor) * math.sqrt(cell.tau_after)


def svi(params: tuple[float, float, float, float, float], k: float) -> float:
    """Raw SVI total variance."""
    a, b, rho, m, sigma = params
    return a + b * (rho * (k - m) + math.hypot(k - m, sigma))


def clip(x: float, cap: float) -> float:
    """x, at most `cap` from 0."""
    return max(-cap, min(cap, x))


def option_values(cell: Cell) -> float:
    """Value in USD after the move: the model's price of a forward (or scale) of 1, times the numeraire."""
    v, k = total_vol(cell), cell.moneyness - cell.move
    if cell.model == "normal":
        return normal_values(0.0, k, v, cell.right) * cell.numeraire
    if cell.model == "black" or v == 0.0:
        return black_values(1.0, math.exp(k), v, cell.right) * cell.numeraire
    price = american_values(math.exp(-cell.carry), math.exp(k), v, 1.0, cell.rate, cell.rate - cell.carry, cell.right)
    return price * math.exp(cell.rate) * cell.numeraire


def option_pnl(before: Cell, after: Cell, damping: float, multiplier: float) -> float:
    """Damped P&L of one contract."""
    return damping * multiplier * (option_values(after) - option_values(before))
