"""Reader of the Vega reference cases: lognormal expected-shortfall factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from crossmargin.adapters.conformance import Case, Check, compare
from crossmargin.margin.rulebooks.vega.lognormal import Lognormal, risk_factors

FILE = "lognormal_es_risk_factors.json"
TOLERANCE = 2e-6  # the printed digits; relative for the short factor, absolute for the long one


def read_vega(folder: Path) -> Iterator[Case]:
    """The cases of `folder`/lognormal_es_risk_factors.json.

    A long factor that the file marks as made by other numerics is not compared.
    """
    document = msgspec.json.decode((folder / FILE).read_bytes())
    for raw in document["cases"]:
        name = f"λ {raw['risk_aversion']:g}, τ {raw['tau_years']:g}, μ {raw['mu']:g}, σ {raw['sigma']:g}"
        yield Case(name=name, check=partial(_check, raw))


def _check(raw: Mapping[str, Any]) -> tuple[Check, ...]:
    model = Lognormal(**{name: raw[name] for name in ("risk_aversion", "tau_years", "mu", "sigma")})
    got = risk_factors(model)
    checks = []
    if raw["closed_form_short_matches"]:
        checks.append(compare("rf_short", raw["rf_short"], got.short, relative=TOLERANCE))
    if raw["closed_form_long_matches"]:
        checks.append(compare("rf_long", raw["rf_long"], got.long, absolute=TOLERANCE))
    return tuple(checks)
