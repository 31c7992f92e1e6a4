"""Scenario specifications as they cross a border: the grid of a model, and named shocks for stress tests."""

from __future__ import annotations

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts of a specification."""


class Tail(_Part, frozen=True, kw_only=True):
    """A far move, relative, and the factor on its P&L."""

    move: float
    damping: float


class Moves(_Part, frozen=True, kw_only=True):
    """How far the underlyings of one risk class move.

    `price_range` is the farthest regular move; `vol_up` and `vol_down` the relative vol moves at 30 days, spread over
    tenors by the powers (see `SurfaceRule`); `skew`, `smile` and `carry` are moved both ways, zero leaves them out.
    """

    price_range: float
    vol_up: float = 0.0
    vol_down: float = 0.0
    short_power: float = 0.30
    long_power: float = 0.13
    floor_days: float = 1.0
    min_vol_up: float = 0.0
    tails: tuple[Tail, ...] = ()
    skew: float = 0.0
    smile: float = 0.0
    skew_width: float = 1.5
    carry: float = 0.0


class Joint(_Part, frozen=True, kw_only=True):
    """Moves of several underlyings together.

    `correlation_stress` s takes a pair's correlation ρ to ρ + s(1 − ρ) and to ρ − s(1 + ρ).
    """

    together: bool = True
    pairs: bool = True
    correlation_stress: float = 0.25


class Grid(_Part, frozen=True, kw_only=True):
    """The grid family: price × vol, tails, skew, carry, rates, pegs, and joint moves.

    `steps` prices on each side of zero; `classes` by risk class; `rate_shift` in decimals a year; `stable_peg` and
    `wrapped_peg` relative moves of pegs; `horizon_days` passes before each column is valued.
    """

    classes: dict[str, Moves]
    steps: int = 4
    horizon_days: float = 0.0
    rate_shift: float = 0.0
    stable_peg: float = 0.0
    wrapped_peg: float = 0.0
    joint: Joint = Joint()


class NamedShock(_Part, frozen=True, kw_only=True):
    """One stress scenario: factors and their moves. `spot:*` moves every price of that kind not named itself.

    `date` is the day of an event that happened, "" for one that did not; `window` says over which time the moves are.
    """

    label: str
    shocks: dict[str, float]
    horizon_days: float = 0.0
    source: str = ""
    date: str = ""
    window: str = ""


class StressDocument(_Part, frozen=True, kw_only=True):
    """A file of named shocks."""

    scenarios: tuple[NamedShock, ...]
    name: str = ""
