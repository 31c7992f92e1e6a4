"""Which end of what was reported a failure is taken at.

Sources give ranges: of what was lost, of how deep a price fell, of how long it took. `low` and `high` are their ends,
`mid` the middle between; a figure that all sources agree on is the same in all three. They are ends of the reports: a
book with options may lose more in the milder of two falls.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal, TypeAlias

import msgspec

from crossmargin.scenarios.failures.document import Backing, Custody, Effect, Move, Oracle, Peg
from crossmargin.scenarios.failures.library import Failure

Severity: TypeAlias = Literal["low", "mid", "high"]
SHARES: Final[dict[Severity, float]] = {"low": 0.0, "mid": 0.5, "high": 1.0}


def at_severity(failure: Failure, severity: Severity) -> Failure:
    """The failure with one figure instead of each range: amounts, moves, and how long it lasts.

    low + share · (high − low) with a share of 0, ½ or 1, arithmetic throughout."""
    share = SHARES[severity]
    lasts_s = _between(*failure.duration_s, share)
    return replace(
        failure,
        effects=tuple(_effect(effect, share) for effect in failure.effects),
        duration_s=(lasts_s, lasts_s),
    )


def _between(low: float, high: float, share: float) -> float:
    """From `low` to `high`; the ends are met to the bit."""
    return high if share == 1.0 else low + share * (high - low)


def _effect(effect: Effect, share: float) -> Effect:
    """An effect whose ranges are points."""
    match effect:
        case Backing() | Custody():
            loss = _between(effect.loss_lo, effect.loss_hi, share)
            return msgspec.structs.replace(effect, loss_lo=loss, loss_hi=loss)
        case Peg():
            fall = _between(effect.high, effect.low, share)
            return msgspec.structs.replace(effect, low=fall, high=fall)
        case Move():
            moves = {name: _between(effect.milder.get(name, x), x, share) for name, x in effect.shocks.items()}
            return msgspec.structs.replace(effect, shocks=moves, milder={})
        case Oracle() if effect.milder is not None:
            said = _between(effect.milder, effect.deviation, share)
            return msgspec.structs.replace(effect, deviation=said, milder=None)
        case _:
            return effect
