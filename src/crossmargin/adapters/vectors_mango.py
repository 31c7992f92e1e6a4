"""Reader of the Mango reference cases: initial health of accounts in a market of three tokens and one perpetual."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from crossmargin.adapters.conformance import Case, Check, compare
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.mango.health import (
    Level,
    Perpetual,
    Portfolio,
    Price,
    SpotOrders,
    Token,
    Weights,
    margin_of,
)

FILE = "health_init_cases.json"
TOLERANCE = 1e-9
_TOKENS = ("token1", "token2", "token3")
_MARKETS = {"oo_1_2": "token2", "oo_1_3": "token3"}
_LEVELS: dict[str, Level] = {"Init": "init", "Maint": "maint", "LiquidationEnd": "liquidation_end"}
_EXTRA = re.compile(r"oo_?1_?([23])\.(lowest_placed_ask|highest_placed_bid)\s*=\s*([0-9.]+)")


def read_mango(folder: Path) -> Iterator[Case]:
    """The cases of `folder`/health_init_cases.json, to 1e-9 in quote units.

    Raises `InvalidInput` for a setting of a case that the reader does not know.
    """
    path = folder / FILE
    document = msgspec.json.decode(path.read_bytes())
    level = _LEVELS[document["fixed"]["health_type"]]
    for raw in document["cases"]:
        portfolio = _portfolio(document["fixed"], raw, f"{path}: case {raw['id']}")
        yield Case(name=f"case {raw['id']}", check=partial(_check, portfolio, level, raw["expected_health"]))


def _check(portfolio: Portfolio, level: Level, expected: float) -> tuple[Check, ...]:
    return (compare("health", expected, margin_of(portfolio, level).health, absolute=TOLERANCE),)


def _portfolio(fixed: Mapping[str, Any], raw: Mapping[str, Any], where: str) -> Portfolio:
    banks = raw["bank_settings"] or [{}] * len(_TOKENS)
    limits = _limits(raw["extra"] or "", where)
    lots, quote, bids, asks = raw["perp1"]
    perpetual = Perpetual(
        settle=next(name for name in _TOKENS if fixed[name].get("is_perp_settle_token")),
        price=_price(fixed["token2"]["price"]),
        weights=_weights(fixed["perp1"]["init_base"], fixed["perp1"]["maint_base"]),
        lot_size=float(fixed["perp1"]["base_lot_size"]),
        base_lots=lots,
        quote=float(quote),
        bids_lots=bids,
        asks_lots=asks,
        init_overall=fixed["perp1"]["overall_asset_weight_init"],
    )
    return Portfolio(
        tokens=tuple(_token(name, fixed[name], raw[name], bank) for name, bank in zip(_TOKENS, banks, strict=True)),
        orders=tuple(
            SpotOrders(
                base=base,
                quote="token1",
                reserved_base=float(raw[market][1]),
                reserved_quote=float(raw[market][0]),
                lowest_ask=limits.get((base, "lowest_placed_ask"), 0.0),
                highest_bid=limits.get((base, "highest_placed_bid"), 0.0),
            )
            for market, base in _MARKETS.items()
        ),
        perpetuals=(perpetual,),
    )


def _token(name: str, fixed: Mapping[str, Any], balance: float, bank: Mapping[str, float]) -> Token:
    return Token(
        name=name,
        balance=float(balance),
        price=_price(fixed["price"]),
        weights=_weights(fixed["init"], fixed["maint"]),
        deposits=float(bank.get("deposits", 0.0)),
        borrows=float(bank.get("borrows", 0.0)),
        order_tokens=float(bank.get("potential_serum_tokens", 0.0) + bank.get("potential_openbook_tokens", 0.0)),
        deposit_scale_start=bank.get("deposit_weight_scale_start_quote") or None,
        borrow_scale_start=bank.get("borrow_weight_scale_start_quote") or None,
    )


def _price(value: float) -> Price:
    return Price(oracle=float(value), stable=float(value))


def _weights(init: list[float], maint: list[float]) -> Weights:
    return Weights(init_asset=init[0], init_liability=init[1], maint_asset=maint[0], maint_liability=maint[1])


def _limits(text: str, where: str) -> dict[tuple[str, str], float]:
    """Limit prices from text such as `oo12.lowest_placed_ask=6; oo13.highest_placed_bid=9`."""
    found = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        match = _EXTRA.fullmatch(part)
        if match is None:
            limit, remedy = "a limit price such as oo12.lowest_placed_ask=6", "Correct the case, or leave it out."
            raise InvalidInput("extra", where=where, value=part, limit=limit, remedy=remedy)
        found[f"token{match[1]}", match[2]] = float(match[3])
    return found
