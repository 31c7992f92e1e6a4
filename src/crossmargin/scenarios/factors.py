"""Names of risk factors, `kind:name[:node]`, and how each kind is moved.

Prices, volatilities, pegs, backings and chains move relatively (0.1 is +10 %), carries, rates, skews and smiles
absolutely (0.01 of a carry is one percent a year; a skew of 0.1 lifts the vol of a far call by 10 %).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from crossmargin.core.errors import InvalidInput, UnknownName

PRICE_KINDS: Final = ("spot", "index", "fx", "bond")
RELATIVE_KINDS: Final = (*PRICE_KINDS, "vol", "peg", "backing", "chain")
ABSOLUTE_KINDS: Final = ("fwd", "rate", "skew", "smile")
KINDS: Final = RELATIVE_KINDS + ABSOLUTE_KINDS
_UNIT_YEARS: Final = {"d": 1.0 / 365.0, "w": 7.0 / 365.0, "m": 1.0 / 12.0, "y": 1.0}


class Factor(NamedTuple):
    """A factor in its parts; `node_years` is NaN-free: zero stands for "no node", a parallel move."""

    kind: str
    name: str
    node_years: float


def parse_factor(text: str, *, where: str) -> Factor:
    """The parts of a factor name; a chain's own name may hold colons (`chain:eip155:1`).

    Raises `UnknownName` for a kind that does not exist and `InvalidInput` for a node that is no tenor.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not rest or kind not in KINDS:
        raise UnknownName("factor", where=where, value=text, known=[f"{kind}:NAME" for kind in KINDS])
    if kind in ("chain", "backing"):
        return Factor(kind, rest, 0.0)
    name, _, node = rest.partition(":")
    return Factor(kind, name, parse_tenor(node, where=where) if node else 0.0)


def parse_tenor(text: str, *, where: str) -> float:
    """Years of `30d`, `2w`, `6m` or `10y` (a day is 1/365 year)."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNIT_YEARS or not number.replace(".", "", 1).isdigit() or not float(number) > 0.0:
        raise InvalidInput("tenor", where=where, value=text, limit="like 30d, 6m or 10y", remedy="Correct the node.")
    return float(number) * _UNIT_YEARS[unit]
