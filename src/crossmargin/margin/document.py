"""A margin model as it crosses a border: parameters only, each set with its name and date."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from crossmargin.scenarios.calibrating.calibration import Calibration
from crossmargin.scenarios.document import Grid


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts of a model."""


class Factor(_Part, frozen=True, kw_only=True):
    """How much of a term counts in initial and in maintenance margin."""

    initial: float = 1.0
    maintenance: float = 1.0


class MeasureChoice(_Part, frozen=True, kw_only=True):
    """How a row of losses becomes one number; `level` for value at risk and expected shortfall."""

    kind: Literal["worst", "value_at_risk", "expected_shortfall"] = "worst"
    level: float = 0.99


class Liquidity(_Part, frozen=True, kw_only=True):
    """Cost of closing out: half-spread plus impact Y·σ·√(q/ADV), and the extra days that a large position takes.

    `impact` is Y (about 1; Almgren et al. 2005, Tóth et al. 2011); `participation` the share of a day's volume that
    can be taken; `horizon_days` the close-out period the scan already covers.
    """

    impact: float = 1.0
    participation: float = 0.10
    horizon_days: float = 1.0
    spread: Factor = Factor()
    concentration: Factor = Factor()


class Basis(_Part, frozen=True, kw_only=True):
    """Longs against shorts of one underlying: what their prices may move apart.

    Matched notional times `floor`, plus `annual` a year of distance along the curve, plus `venue` where it is matched
    across venues or settlement assets.
    """

    floor: float = 0.005
    annual: float = 0.05
    venue: float = 0.005
    factor: Factor = Factor()


class ShortOption(_Part, frozen=True, kw_only=True):
    """The least that short options require: `rate` of their underlying notional, a floor under the scan."""

    rate: float = 0.005
    factor: Factor = Factor()


class Oracle(_Part, frozen=True, kw_only=True):
    """Uncertainty of the mark, taken against the account: `multiplier` × width × |delta|."""

    multiplier: float = 1.0
    factor: Factor = Factor()


class WrongWay(_Part, frozen=True, kw_only=True):
    """Collateral that falls with the book, beyond its haircuts: charged where haircuts are by rule."""

    factor: Factor = Factor()


class ChainTerms(_Part, frozen=True, kw_only=True):
    """What chains and bridges add to a requirement, where collateral names its instance.

    `bridge`: the two bridges whose failure costs most fail together, each by `bridge_loss` of what stands behind it.
    `finality`: collateral that arrives later than the scan's horizon. A transfer takes `detect_s`, `include_s` at
    either end, the finality of its chain and the time of its way. `availability`: `halt_probability`, over that
    horizon, of a halt as long as the chain's profile says. `transfer`: what it costs to bring collateral to where it
    is needed.
    Defaults of 2026-11-22, this project's: 78 % is what was lost behind Multichain in July 2023; half a percent a day
    is more than the record of any chain in the shipped registry.
    """

    bridge_loss: float = 0.78
    halt_probability: float = 0.005
    detect_s: float = 60.0
    include_s: float = 15.0
    bridge: Factor = Factor()
    finality: Factor = Factor()
    availability: Factor = Factor()
    transfer: Factor = Factor()


class Tier(_Part, frozen=True, kw_only=True):
    """Rates of the part of a position's notional up to `notional_cap` (USD) and above the tier before."""

    notional_cap: float
    initial: float
    maintenance: float


class OptionRule(_Part, frozen=True, kw_only=True):
    """Standard margin of one short option, as fractions of the underlying's price.

    Initial: max(`initial_far` after the out-of-the-money amount, `initial_near`); maintenance: `maintenance`.
    """

    initial_far: float
    initial_near: float
    maintenance: float


class PositionRule(_Part, frozen=True, kw_only=True):
    """Margin by rule, position by position, for the underlyings of one risk class."""

    tiers: tuple[Tier, ...]
    option: OptionRule


class MarginModel(_Part, frozen=True, kw_only=True):
    """A margin model.

    MM = Σ maintenance-factor × term, IM = Σ initial-factor × term, over: scan, offset cap, jump, liquidity,
    concentration, basis, short-option minimum, oracle, wrong way (portfolio groups) or rule (isolated and cross).
    `offset_cap` is the share of the offsets between underlyings that counts (0.8: the rule of EMIR RTS 153/2013,
    article 27). `option_value` "equity": net option value is an asset (or debt). "requirement": it is subtracted from
    the requirement instead, down to zero. `long_option_credit` is the share of a long option's value that isolated
    and cross groups may count. With a `calibration` the regular scenarios are those it means, under `measure`, and the
    grid gives the far moves and says how volatility shocks spread; without one the grid gives all of them. `chains`
    are the terms of pools whose collateral names its instances.
    """

    LATER: ClassVar[tuple[str, ...]] = ("chains",)

    name: str
    date: str
    source: str
    grid: Grid
    rules: dict[str, PositionRule]
    measure: MeasureChoice = MeasureChoice()
    scan: Factor = Factor(initial=1.25, maintenance=1.0)
    offset_cap: float = 0.8
    jump: Factor = Factor()
    liquidity: Liquidity = Liquidity()
    basis: Basis = Basis()
    short_option: ShortOption = ShortOption()
    oracle: Oracle = Oracle()
    wrong_way: WrongWay = WrongWay()
    chains: ChainTerms = ChainTerms()
    option_value: Literal["equity", "requirement"] = "equity"
    long_option_credit: float = 0.0
    sticky: Literal["moneyness", "strike"] = "moneyness"
    calibration: Calibration | None = None
