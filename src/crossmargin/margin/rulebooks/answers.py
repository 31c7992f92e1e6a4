"""The terms of a rulebook put together as its answer."""

from __future__ import annotations

import math
from collections.abc import Iterable

from crossmargin.margin.rulebooks.rulebook import Certainty, RuleResult, RuleTerm

_ORDER: tuple[Certainty, ...] = ("exact", "approximate", "unknown")


def weakest(certainties: Iterable[Certainty]) -> Certainty:
    """The least certain of all; exact where there are none."""
    return max(certainties, key=_ORDER.index, default="exact")


def summed(
    rulebook: str,
    date: str,
    terms: Iterable[RuleTerm],
    equity_usd: float,
    *,
    certainty: Certainty = "exact",
    notes: Iterable[str] = (),
    refused: Iterable[str] = (),
) -> RuleResult:
    """The answer of a rule whose requirement is the sum of its terms; never more certain than its weakest term."""
    parts = tuple(terms)
    return RuleResult(
        rulebook=rulebook,
        date=date,
        initial_usd=math.fsum(t.initial for t in parts),
        maintenance_usd=math.fsum(t.maintenance for t in parts),
        equity_usd=equity_usd,
        terms=parts,
        certainty=weakest([certainty, *(t.certainty for t in parts)]),
        notes=tuple(dict.fromkeys(notes)),
        refused=tuple(dict.fromkeys(refused)),
    )
