"""What netting saves: the parts of an account each alone, beside the account as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from crossmargin.engine.comparing.panel import Panel
from crossmargin.engine.comparing.parts import Part, collateral_part
from crossmargin.engine.comparing.rules import Rule


def alone_usd(panel: Panel, rule: Rule, parts: Sequence[Part]) -> float | None:
    """The sum of the initial margins of `parts`, each alone without collateral, and of the collateral alone; USD.

    Of what the rule takes of the whole account; None where it has no answer to a part that it takes.
    """
    taken, collateral = panel.taken(rule), collateral_part(panel.alone)
    listed = [replace(p, positions=p.positions & taken.positions, orders=p.orders & taken.orders) for p in parts]
    asked = [part for part in listed if part.has_contracts]
    offers = [panel.offer(rule, part) for part in (*asked, *([collateral] if collateral.holdings.any() else []))]
    return None if None in offers else math.fsum(x.initial_usd for x in offers if x is not None)
