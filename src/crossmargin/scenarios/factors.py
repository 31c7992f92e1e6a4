"""Names of risk factors, `kind:name[:node]`, and how each kind is moved.

Prices, volatilities, pegs, backings and chains move relatively (0.1 is +10 %), carries, rates, skews, smiles, bases
and fundings absolutely (0.01 of a carry is one percent a year; a skew of 0.1 lifts the vol of a far call by 10 %). A
basis is the log of a perpetual over its spot, what `fwd` times the tenor is to a dated future; a funding is what a long
perpetual pays a day, as a part of its value.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from crossmargin.core.errors import InvalidInput, UnknownName

PRICE_KINDS: Final = ("spot", "index", "fx", "bond")
RELATIVE_KINDS: Final = (*PRICE_KINDS, "vol", "peg", "backing", "chain")
ABSOLUTE_KINDS: Final = ("fwd", "rate", "skew", "smile", "basis", "funding")
PERPETUAL_KINDS: Final = ("basis", "funding")  # what perpetuals alone depend on
KINDS: Final = RELATIVE_KINDS + ABSOLUTE_KINDS
CURVE_KINDS: Final = ("fwd", "vol", "rate")  # these move by tenor; every other kind is one number
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_UNIT_YEARS: Final = {"d": 1.0 / 365.0, "w": 7.0 / 365.0, "m": 1.0 / 12.0, "y": 1.0}


class Factor(NamedTuple):
    """A factor in its parts; `node_years` is NaN-free: zero stands for "no node", a parallel move."""

    kind: str
    name: str
    node_years: float


def parse_factor(text: str, *, where: str) -> Factor:
    """The parts of a factor name; a chain's own name may hold colons (`chain:eip155:1`).

    Raises `UnknownName` for a kind that does not exist and `InvalidInput` for a node that is no tenor, or that stands
    behind a factor without tenors (its move would reach nothing).
    """
    kind, _, rest = text.partition(":")
    name, colon, node = (rest, "", "") if kind in ("chain", "backing") else rest.partition(":")
    if not name or kind not in KINDS:
        raise UnknownName("factor", where=where, value=text, known=[f"{kind}:NAME" for kind in KINDS])
    if not colon:
        return Factor(kind, name, 0.0)
    if kind not in CURVE_KINDS:
        limit = "without a node: only " + ", ".join(CURVE_KINDS) + " have tenors"
        raise InvalidInput("factor", where=where, value=text, limit=limit, remedy=f"Write {kind}:{name}.")
    return Factor(kind, name, parse_tenor(node, where=where))


def parse_tenor(text: str, *, where: str) -> float:
    """Years of `30d`, `2w`, `6m` or `10y` (a day is 1/365 year)."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNIT_YEARS or not _DECIMAL.fullmatch(number) or not 0.0 < float(number) < 1e6:
        raise InvalidInput("tenor", where=where, value=text, limit="like 30d, 6m or 10y", remedy="Correct the node.")
    return float(number) * _UNIT_YEARS[unit]
