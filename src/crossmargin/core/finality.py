"""How sure a transfer is, how well it is proved, and how the chain under it does: names that books and markets share.

Levels, trust and health are ordered: a larger level is surer, a larger trust better proved.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal, TypeAlias

LevelName: TypeAlias = Literal["seen", "included", "safe", "final", "settled"]
TrustName: TypeAlias = Literal["L0", "L1", "L2", "L3", "L4"]
HealthName: TypeAlias = Literal["healthy", "lagging", "halted", "forked", "governed"]


class Level(IntEnum):
    """How far a credit is: announced, in a block, in a block its chain calls safe, final, out by the canonical exit."""

    SEEN = 0
    INCLUDED = 1
    SAFE = 2
    FINAL = 3
    SETTLED = 4


class Trust(IntEnum):
    """By what a balance is known: one node, several that agree, a proof, an anchored proof, a validity proof."""

    L0 = 0
    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4


class Health(IntEnum):
    """How a chain does: final blocks come late, no blocks come, two histories, or a state changed by force."""

    HEALTHY = 0
    LAGGING = 1
    HALTED = 2
    FORKED = 3
    GOVERNED = 4


LEVEL_NAMES: Final[dict[Level, LevelName]] = {
    Level.SEEN: "seen",
    Level.INCLUDED: "included",
    Level.SAFE: "safe",
    Level.FINAL: "final",
    Level.SETTLED: "settled",
}
TRUST_NAMES: Final[dict[Trust, TrustName]] = {
    Trust.L0: "L0",
    Trust.L1: "L1",
    Trust.L2: "L2",
    Trust.L3: "L3",
    Trust.L4: "L4",
}
LEVELS: Final[dict[str, Level]] = {name: level for level, name in LEVEL_NAMES.items()}
TRUSTS: Final[dict[str, Trust]] = {name: trust for trust, name in TRUST_NAMES.items()}
HEALTH_NAMES: Final[dict[Health, HealthName]] = {
    Health.HEALTHY: "healthy",
    Health.LAGGING: "lagging",
    Health.HALTED: "halted",
    Health.FORKED: "forked",
    Health.GOVERNED: "governed",
}
HEALTHS: Final[dict[str, Health]] = {name: health for health, name in HEALTH_NAMES.items()}
DEFAULT_LEVEL: Final[LevelName] = "final"
DEFAULT_TRUST: Final[TrustName] = "L2"
