"""Reader of strategy-margin cases: an underlying, its legs, and the requirements of cash and margin account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from crossmargin.adapters.conformance import Case, Check, compare
from crossmargin.margin.rulebooks.cboe.portfolio import Portfolio
from crossmargin.margin.rulebooks.cboe.strategy import RULEBOOK, StrategyMargin, margin_of

StrPath: TypeAlias = str | os.PathLike[str]
TOLERANCE_USD = 0.01
_KINDS = {"None": "equity", "narrow-based": "narrow_index", "broad-based": "broad_index"}
_RIGHTS = {"C": "call", "P": "put"}


def read_cboe(folder: StrPath) -> Iterator[Case]:
    """The cases in `cboe_strategy_margin_cases.json` of a folder; only the fields that a case asserts are compared."""
    text = (Path(folder) / "cboe_strategy_margin_cases.json").read_bytes()
    for row in msgspec.json.decode(text):
        yield Case(name=str(row["test"]), check=partial(_checked, row))


def _checked(row: dict[str, Any]) -> tuple[Check, ...]:
    found = margin_of(_portfolio(row), RULEBOOK.load(RULEBOOK.dates()[-1]))
    return tuple(
        compare(field, float(row[field]), _requirement(found, field), absolute=TOLERANCE_USD)
        for field in row["asserted_fields"]
    )


def _requirement(found: StrategyMargin, field: str) -> float:
    """The number of a field; NaN, which fails, where a cash account may not hold the position."""
    if field == "margin_requirement":
        return float(found.initial.requirement)
    return float(found.cash.requirement) if found.cash else float("nan")


def _portfolio(row: dict[str, Any]) -> Portfolio:
    of = row["underlying"]
    options = [leg for leg in row["legs"] if leg["kind"] == "Option"]
    shares = [leg for leg in row["legs"] if leg["kind"] == "Shares"]
    document = {
        "underlying": of["price"],
        "kind": _KINDS[of["etf_type"]],
        "leverage": of["leverage_factor"],
        "options": [
            {
                "right": _RIGHTS[leg["type"]],
                "strike": leg["strike"],
                "price": leg["price"],
                "quantity": int(leg["quantity"]),
                "days": int(leg["days_to_expiration"]),
            }
            for leg in options
        ],
        "shares": [{"price": leg["price"], "quantity": int(leg["quantity"])} for leg in shares],
    }
    return msgspec.convert(document, Portfolio, strict=False)
