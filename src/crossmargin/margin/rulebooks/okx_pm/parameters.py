"""The dated tables of OKX portfolio margin: what each class of coins is moved by, and what open parts are read as."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.okx_cross.accounts import DiscountTier
from crossmargin.margin.rulebooks.rulebook import Certainty
from crossmargin.margin.rulebooks.scanning import VolRule
from crossmargin.margin.rulebooks.spreads import Tier, check_tiers

_WHERE = "okx portfolio margin"
_MOST = 0.999  # A price that falls to nothing has no logarithm.


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class MoveClass(_Part, frozen=True, kw_only=True):
    """MR1 of some coins: prices move by each of `steps` both ways, and by nothing."""

    coins: tuple[str, ...]
    steps: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that steps rise from above 0 and leave something of the price."""
        for a, b in zip((0.0, *self.steps), self.steps, strict=False):
            if not a < b <= _MOST:
                limit, remedy = f"above {a:g} and at most {_MOST:g}", "Sort the steps."
                raise InvalidInput("price step", where=_WHERE, value=b, limit=limit, remedy=remedy)


class RiskClass(_Part, frozen=True, kw_only=True):
    """MR4, MR6 and MR7 of some coins.

    `extreme` move of MR6; MR4 charges `basis_annual` a year of tenor, at least `basis_floor`; MR7 `reduction` of delta
    notional, then `tiers`. `certainty` is that of its floor and its reduction rate, `tier_certainty` that of the tiers.
    """

    coins: tuple[str, ...]
    extreme: float
    basis_annual: float
    basis_floor: float
    reduction: float
    tiers: tuple[Tier, ...]
    certainty: Certainty = "exact"
    tier_certainty: Certainty = "exact"

    def __post_init__(self) -> None:
        """Check all numbers."""
        for name in ("basis_annual", "basis_floor", "reduction"):
            check.within(getattr(self, name), name, 0.0, 1.0, where=_WHERE)
        check.within(self.extreme, "extreme", 0.0, _MOST, where=_WHERE)
        check_tiers(self.tiers, where=f"{_WHERE}, minimum charge")


class PegRow(_Part, frozen=True, kw_only=True):
    """MR9 while a pair trades at `peg_min` or above, and below the row before: factors on the matched size."""

    peg_min: float
    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        """Check all numbers."""
        check.within(self.peg_min, "peg_min", 0.0, 1.0, where=_WHERE)
        check_tiers(self.tiers, where=f"{_WHERE}, peg {self.peg_min:g}")


class LoanRates(_Part, frozen=True, kw_only=True):
    """MR8: parts of a debt."""

    initial: float
    maintenance: float
    certainty: Certainty = "unknown"

    def __post_init__(self) -> None:
        """Check that initial is not below maintenance."""
        check.within(self.initial, "initial", 0.0, 10.0, where=_WHERE)
        check.within(self.maintenance, "maintenance", 0.0, self.initial, where=_WHERE)


class Parameters(_Part, frozen=True, kw_only=True):
    """A dated set. A coin is listed when it is in one class of `moves` and in one of `risks`.

    Open parts, each a conservative reading: `volatility` (sizes of the volatility moves of MR1), `decay_days` (MR2),
    `vega_share` of those moves by which expiries go apart (MR3), `rate_shock` (MR5), `pegs` (MR9), `other_loan` (MR8).
    """

    source: str
    date: str
    moves: Mapping[str, MoveClass]
    risks: Mapping[str, RiskClass]
    pegs: tuple[PegRow, ...]
    loans: Mapping[str, LoanRates]
    other_loan: LoanRates
    discounts: Mapping[str, tuple[DiscountTier, ...]]
    volatility: VolRule
    decay_days: float = 1.0
    vega_share: float = 1.0
    rate_shock: float = 0.05
    extreme_factor: float = 0.5
    initial_factor: float = 1.3
    spot_in_use: bool = True
    discount_certainty: Certainty = "unknown"

    def __post_init__(self) -> None:
        """Check all numbers, and that no coin is in two classes of a kind."""
        for name, most in (("decay_days", 365.0), ("vega_share", 1.0), ("rate_shock", 1.0), ("extreme_factor", 1.0)):
            check.within(getattr(self, name), name, 0.0, most, where=_WHERE)
        check.within(self.initial_factor, "initial_factor", 1.0, 10.0, where=_WHERE)
        for kind in (self.moves, self.risks):
            check.unique((c for one in kind.values() for c in one.coins), "coin of two classes", where=_WHERE)
        floors = [row.peg_min for row in self.pegs]
        if not floors or floors != sorted(set(floors), reverse=True) or floors[-1] != 0.0:
            limit, remedy = "falling to 0", "Sort the rows from the best peg to the worst."
            raise InvalidInput("peg_min", where=_WHERE, value=floors, limit=limit, remedy=remedy)

    @property
    def coins(self) -> tuple[str, ...]:
        """The coins that are in a class of either kind."""
        risky = {c for one in self.risks.values() for c in one.coins}
        return tuple(sorted(c for one in self.moves.values() for c in one.coins if c in risky))

    def steps_of(self, coin: str) -> tuple[float, ...]:
        """MR1's steps of a coin; raises `UnknownName`."""
        check.known(coin, self.coins, "coin", where=_WHERE)
        return next(one.steps for one in self.moves.values() if coin in one.coins)

    def risk_of(self, coin: str) -> RiskClass:
        """The class of a coin; raises `UnknownName`."""
        check.known(coin, self.coins, "coin", where=_WHERE)
        return next(one for one in self.risks.values() if coin in one.coins)
