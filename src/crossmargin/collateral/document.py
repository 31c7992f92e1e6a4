"""How collateral is valued, as it crosses a border: parameters only."""

from __future__ import annotations

from typing import Literal

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class HaircutTier(_Part, frozen=True, kw_only=True):
    """Haircut on the part of a holding up to `value_cap` (USD) and above the tier before."""

    value_cap: float
    haircut: float


class Caps(_Part, frozen=True, kw_only=True):
    """The most that counts, USD after haircuts, by asset, issuer and chain; what is not named is not capped."""

    asset: dict[str, float] = {}
    issuer: dict[str, float] = {}
    chain: dict[str, float] = {}


class Collateral(_Part, frozen=True, kw_only=True):
    """How collateral is valued: by haircuts (`rule`) or inside the scenarios (`scenario`), never both.

    An asset without haircuts is refused. `debt_markup` is added to what is owed (negative holdings).
    """

    mode: Literal["rule", "scenario"] = "rule"
    haircuts: dict[str, tuple[HaircutTier, ...]] = {}
    caps: Caps = Caps()
    debt_markup: float = 0.0
