"""How collateral is valued, as it crosses a border: parameters only."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class HaircutTier(_Part, frozen=True, kw_only=True):
    """Haircut on the part of a holding up to `value_cap` (USD) and above the tier before."""

    value_cap: float
    haircut: float


class Caps(_Part, frozen=True, kw_only=True):
    """The most that counts, USD after haircuts, by asset, issuer, chain and bridge; what is not named is not capped."""

    LATER: ClassVar[tuple[str, ...]] = ("bridge",)

    asset: dict[str, float] = {}
    issuer: dict[str, float] = {}
    chain: dict[str, float] = {}
    bridge: dict[str, float] = {}


class TokenHaircuts(_Part, frozen=True, kw_only=True):
    """What is taken off tokens beside the haircut of their asset.

    Over each bridge behind a token: `issuer_bridge` where the issuer burns and mints its own, else `three_verifiers`
    (or more) or `two_verifiers`; behind one verifier nothing counts. `stress_factor` multiplies haircuts while the peg
    is in stress. Of credits that are not final counts (1 − `lost_*`) of the amount, the chance that one of that level
    is never final, and of all on a chain no more than `fast_share` of what is final there. On each chain what several
    nodes say without a proof (L1) counts up to `unproved_cap_usd`, and what is proven under a header that nothing
    anchors (L2) up to `unanchored_cap_usd`.
    Defaults of 2026-11-22, this project's: Multichain's holders lost 78 % in July 2023, one verifier let unbacked
    tokens out in April 2026; the fast share is the idea of Circle's allowance for fast transfers.
    """

    issuer_bridge: float = 0.05
    three_verifiers: float = 0.15
    two_verifiers: float = 0.40
    stress_factor: float = 2.0
    lost_seen: float = 1.0
    lost_included: float = 0.10
    lost_safe: float = 0.01
    fast_share: float = 0.02
    unproved_cap_usd: float = 100_000.0
    unanchored_cap_usd: float = 10_000_000.0


class Collateral(_Part, frozen=True, kw_only=True):
    """How collateral is valued: by haircuts (`rule`) or inside the scenarios (`scenario`), never both.

    An asset without haircuts is refused. `debt_markup` is added to what is owed (negative holdings); `tokens` are for
    collateral that names its instance on a chain.
    """

    LATER: ClassVar[tuple[str, ...]] = ("tokens",)

    mode: Literal["rule", "scenario"] = "rule"
    haircuts: dict[str, tuple[HaircutTier, ...]] = {}
    caps: Caps = Caps()
    debt_markup: float = 0.0
    tokens: TokenHaircuts = TokenHaircuts()
