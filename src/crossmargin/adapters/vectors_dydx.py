"""Reader of the dYdX reference cases: a JSON file whose integers are strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import msgspec

from crossmargin.adapters.conformance import Case, Check, compare
from crossmargin.margin.rulebooks.dydx.perpetuals import Position, Tier, position_margin

FILE = "perp_margin_requirements.json"


def read_dydx(folder: Path) -> Iterator[Case]:
    """The cases of `folder`/perp_margin_requirements.json; both requirements must be met exactly."""
    document = msgspec.json.decode((folder / FILE).read_bytes())
    for raw in document["cases"]:
        yield Case(name=raw["name"], check=partial(_check, raw))


def _check(raw: Mapping[str, str]) -> tuple[Check, ...]:
    initial, maintenance = position_margin(_position(raw))
    return (
        _exact("initial", int(raw["bigExpectedInitialMargin"]), initial),
        _exact("maintenance", int(raw["bigExpectedMaintenanceMargin"]), maintenance),
    )


def _exact(field: str, expected: int, got: int) -> Check:
    """Compared as integers: above 2⁵³ two of them may be the same float."""
    found = compare(field, float(expected), float(got))
    return Check(
        field=field,
        expected=found.expected,
        got=found.got,
        tolerance_relative=0.0,
        tolerance_absolute=0.0,
        passed=expected == got,
    )


def _position(raw: Mapping[str, str]) -> Position:
    tier = Tier(
        initial_ppm=int(raw["initialMarginPpm"]),
        maintenance_fraction_ppm=int(raw["maintenanceFractionPpm"]),
        open_interest_lower_cap=int(raw.get("openInterestLowerCap", 0)),
        open_interest_upper_cap=int(raw.get("openInterestUpperCap", 0)),
    )
    return Position(
        base_quantums=int(raw["bigBaseQuantums"]),
        price=int(raw["price"]),
        price_exponent=int(raw["exponent"]),
        base_exponent=int(raw["baseCurrencyAtomicResolution"]),
        tier=tier,
        open_interest=int(raw.get("openInterest", 0)),
    )
