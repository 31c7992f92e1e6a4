"""What a user writes behind an option, taken apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable
from typing import TypeVar

from crossmargin.core import check
from crossmargin.core.chain_ids import check_chain
from crossmargin.core.errors import InvalidInput

Key = TypeVar("Key", bound=Hashable)


def parse_addition(text: str) -> tuple[str, float]:
    """`BTC-PERPETUAL.DERIBIT:-5` as the instrument and its signed quantity; raises `InvalidInput`."""
    name, colon, number = text.rpartition(":")
    if not colon or not name:
        raise _malformed("--add", text, "INSTRUMENT:QTY", "BTC-PERPETUAL.DERIBIT:-5000")
    return name, check.quantity(number, "quantity", where=f"--add {text}")


def parse_collateral(text: str) -> tuple[tuple[str, str], float]:
    """`USDC@eip155:1:5000` as ((asset, chain), amount), the chain "" where none is named; raises `InvalidInput`."""
    holding, colon, number = text.rpartition(":")
    asset, at, chain = holding.partition("@")
    if not colon or not asset or bool(at) != bool(chain) or ":" in asset:
        raise _malformed("--collateral", text, "ASSET[@CHAIN]:AMOUNT", "USDC@eip155:1:5000")
    if chain:
        check_chain(chain, where=f"--collateral {text}")
    return (asset, chain), check.quantity(number, "amount", where=f"--collateral {text}")


def parse_day(text: str | None) -> dt.date | None:
    """`2026-03-31` as a day, nothing as nothing; raises `InvalidInput`."""
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            "date", where="--date", value=text, limit="a day like 2026-03-31", remedy="Write year, month and day."
        ) from None


def summed(amounts: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    """What is named more than once, added up."""
    total: dict[Key, float] = {}
    for key, amount in amounts:
        total[key] = total.get(key, 0.0) + amount
    return total


def _malformed(option: str, text: str, form: str, example: str) -> InvalidInput:
    return InvalidInput(option, where="command line", value=text, limit=form, remedy=f"Write it like {example}.")
