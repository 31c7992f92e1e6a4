"""All rulebooks by id. A new one is a folder with a rule, a dated table, and a line here."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final

from crossmargin.core.check import known
from crossmargin.margin.rulebooks.rulebook import Rulebook

_MODULES: Final = (
    "aevo_pm.portfolio",
    "aevo_standard.options",
    "binance.futures",
    "binance.unified",
    "bybit_cross.accounts",
    "bybit_pm.account",
    "bybit_standard.options",
    "cboe.strategy",
    "coinbase.perpetuals",
    "deribit_pm.evaluating",
    "deribit_standard.standard",
    "derive.evaluating",
    "drift.accounts",
    "dydx.perpetuals",
    "gmx.positions",
    "hyperliquid.perpetuals",
    "hyperliquid.portfolio",
    "kraken.futures",
    "mango.accounts",
    "occ_tims.points",
    "okx_cross.accounts",
    "okx_pm.account",
    "opyn.account",
    "panoptic.account",
    "paradex.cross",
    "paradex.portfolio",
    "perennial.positions",
    "sensitivities.rule",
    "sensitivities.schedule",
    "span.rule",
    "synthetix.perpetuals",
    "vega.lognormal",
    "vertex.health",
)


@cache
def rulebooks() -> dict[str, Rulebook]:
    """Every rulebook by its id, in the order of the ids; their modules are imported at the first call."""
    found: dict[str, Rulebook] = {}
    for name in _MODULES:
        module = importlib.import_module(f"crossmargin.margin.rulebooks.{name}")
        for one in getattr(module, "RULEBOOKS", None) or (module.RULEBOOK,):
            assert one.id not in found, f"two rulebooks are called {one.id}"
            found[one.id] = one
    return dict(sorted(found.items()))


def rulebook(name: str, *, where: str = "rulebook") -> Rulebook:
    """The rulebook of an id. Raises `UnknownName` with the nearest ones."""
    known(name, rulebooks(), "rulebook", where=where, remedy="`crossmargin rulebooks` lists them.")
    return rulebooks()[name]
