"""Reader of the Drift reference cases: weights by size, printed with four decimals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from crossmargin.adapters.conformance import Case, Check, compare
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.drift.weights import WEIGHT, asset_weight, liability_weight

FILE = "spot_weights.json"
_RULES = {"asset": asset_weight, "liability": liability_weight}


def read_drift(folder: Path) -> Iterator[Case]:
    """The cases of `folder`/spot_weights.json; weights must agree in all four decimals.

    Raises `InvalidInput` for a case that is neither asset nor liability.
    """
    path = folder / FILE
    document = msgspec.json.decode(path.read_bytes())
    for number, raw in enumerate(document["cases"]):
        if raw["kind"] not in _RULES:
            limit, remedy = "asset or liability", "Correct the case."
            raise InvalidInput("kind", where=f"{path}: case {number}", value=raw["kind"], limit=limit, remedy=remedy)
        yield Case(name=f"{raw['kind']} {raw['margin_type']} {number}", check=partial(_check, raw))


def _check(raw: Mapping[str, Any]) -> tuple[Check, ...]:
    size, imf, base = (_units(raw[key], e) for key, e in (("size", 9), ("imf_factor", 6), ("base_weight", 4)))
    return (compare("weight", _units(raw["expected"], 4) / WEIGHT, _RULES[raw["kind"]](base, size, imf) / WEIGHT),)


def _units(value: float, decimals: int) -> int:
    return int(Decimal(repr(value)).scaleb(decimals))
