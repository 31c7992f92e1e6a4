"""The parameters of PMRM_2, held to the ranges that the venue admits. Source: rulebook reference 1.7."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.margin.rulebooks.derive.auction import AuctionParameters
from crossmargin.margin.rulebooks.derive.building import Basis, VolShock, check_ranges
from crossmargin.margin.rulebooks.derive.native import Part

Shock: TypeAlias = Literal["none", "up", "down", "linear", "abs"]
SKEWS: Final = ("linear", "abs")


class Scenario(Part, frozen=True, kw_only=True):
    """The spot times `spot`, volatilities by `vol`, the P&L times `damping`."""

    spot: float
    vol: Shock
    damping: float = 1.0

    @property
    def label(self) -> str:
        """What happens, for people."""
        if self.vol in SKEWS:
            return f"{self.vol} skew"
        move = f"spot {self.spot - 1.0:+.2%}, vol {self.vol}"
        return move if self.damping == 1.0 else f"{move}, times {self.damping:g}"


class SkewShock(Part, frozen=True, kw_only=True):
    """How a smile turns: slope and cap by expiry, cap = C·√T + base (one pair for each of the two skews)."""

    linear_base_cap: float
    linear_root_cap: float
    abs_base_cap: float
    abs_root_cap: float
    k_star_min: float
    width_scale: float
    vol_static: float
    vol_scale: float


class Discounting(Part, frozen=True, kw_only=True):
    """Static discounts: long values × `long_base`·e^(−T(r·`long_mult` + `long_add`)), short ones grow likewise."""

    long_base: float
    long_mult: float
    long_add: float
    short_base: float
    short_mult: float
    short_add: float


class Contingencies(Part, frozen=True, kw_only=True):
    """Add-ons. The numbers of initial margin are extra, on top of those of maintenance margin."""

    peg_threshold: float
    peg_factor: float
    confidence_threshold: float
    confidence_margin: float
    perp_maintenance: float
    perp_initial_extra: float
    option_maintenance: float
    option_initial_extra: float


class Haircut(Part, frozen=True, kw_only=True):
    """Haircuts of a collateral asset, `initial_extra` on top; `cancels` names the underlying whose moves it shares."""

    maintenance: float
    initial_extra: float
    cancels: str = ""

    def __post_init__(self) -> None:
        check.within(self.maintenance, "maintenance haircut", 0.0, 1.0, where="collateral")
        check.within(self.initial_extra, "initial haircut", 0.0, 1.0, where="collateral")
        check.within(self.maintenance + self.initial_extra, "sum of haircuts", 0.0, 1.0 + 1e-12, where="collateral")


class Pmrm2Parameters(Part, frozen=True, kw_only=True):
    """A dated parameter set; its ranges are those that the venue admits (reference 1.7)."""

    source: str
    date: str
    initial_factor: float
    maintenance_factor: float
    scenarios: tuple[Scenario, ...]
    vol_shock: VolShock
    discounting: Discounting
    basis: Basis
    contingencies: Contingencies
    skew: SkewShock | None = None
    collaterals: dict[str, Haircut] = msgspec.field(default_factory=dict)
    collateral_certainty: Literal["exact", "approximate"] = "exact"
    auction: AuctionParameters | None = None
    underlyings: tuple[str, ...] = ()
    cash: str = "USDC"
    assets_max: int = 128
    expiries_max: int = 11
    note: str = ""

    def __post_init__(self) -> None:
        where = "PMRM_2 parameters"
        check_ranges(self, {"initial_factor": (0.5, 10.0), "maintenance_factor": (0.1, 10.0)}, where=where)
        check_ranges(self.basis, _BASIS_RANGES, where=where)
        check_ranges(self.vol_shock, _VOL_RANGES, where=where)
        check_ranges(self.discounting, _DISCOUNT_RANGES, where=where)
        check_ranges(self.contingencies, _CONTINGENCY_RANGES, where=where)
        if self.skew is not None:
            check_ranges(self.skew, _SKEW_RANGES, where=where)
        _check_scenarios(self, where)


_BASIS_RANGES: Final = {"up": (1.0, 3.0), "down": (0.0, 1.0), "add": (0.0, 20.0), "mult": (0.0, 20.0)}
_VOL_RANGES: Final = dict.fromkeys(("range_up", "range_down", "short_power", "long_power"), (0.0, 10.0)) | {
    "days_floor": (0.0, 400.0),
    "vol_floor": (0.0, 20.0),
}
_DISCOUNT_RANGES: Final = {
    f"{side}_{name}": (0.0, most)
    for side in ("long", "short")
    for name, most in (("base", 4.0), ("mult", 10.0), ("add", 10.0))
}
_CONTINGENCY_RANGES: Final = {
    "peg_threshold": (0.0, 100.0),
    "peg_factor": (0.0, 10.0),
    "confidence_threshold": (0.0, 1.0),
    "confidence_margin": (0.0, 20.0),
    "perp_maintenance": (0.0, 3.0),
    "perp_initial_extra": (0.0, 3.0),
    "option_maintenance": (0.0, 2.0),
    "option_initial_extra": (0.0, 2.0),
}
_SKEW_RANGES: Final = {
    "linear_base_cap": (0.0, 10.0),
    "abs_base_cap": (0.0, 10.0),
    "linear_root_cap": (-10.0, 10.0),
    "abs_root_cap": (-10.0, 10.0),
    "k_star_min": (0.0, 10.0),
    "width_scale": (0.0, 10.0),
    "vol_static": (0.0, 10.0),
    "vol_scale": (-20.0, 20.0),
}


def _check_scenarios(parameters: Pmrm2Parameters, where: str) -> None:
    check.within(len(parameters.scenarios), "number of scenarios", 1, 40, where=where)
    for i, scenario in enumerate(parameters.scenarios):
        at = f"{where}: scenarios[{i}]"
        check.within(scenario.spot, "spot factor", 0.0, 100.0, where=at)
        check.within(scenario.damping, "damping", 0.0, 100.0, where=at)
        if scenario.vol in SKEWS and (scenario.spot != 1.0 or parameters.skew is None):
            raise InvalidInput(
                "spot factor of a skew scenario", where=at, value=scenario.spot, limit="1, with a `skew` table",
                remedy="A skew scenario turns the smile and leaves the spot.",
            )  # fmt: skip
    check.unique((s.vol for s in parameters.scenarios if s.vol in SKEWS), "skew scenario", where=where)
