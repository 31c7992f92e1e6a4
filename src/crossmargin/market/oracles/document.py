"""Price feeds and the rules for their use, as they cross a border: parameters only."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

FeedKind: TypeAlias = Literal["push", "pull", "venue", "redemption"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shared settings of all parts."""


class Feed(_Part, frozen=True, kw_only=True):
    """One source of a price.

    `source` is its own name; `family` the upstream it samples, which has one vote whatever the number of its sources.
    `push` and `redemption` feeds are renewed at least every `heartbeat_s`; `pull` and `venue` prices are asked for when
    they are needed. `decimals` is what its integers must be scaled by (none for prices that are no integers), `chain`
    where it is read (CAIP-2; empty off chain), `liquidity_usd` the depth behind it, which weighs venues against each
    other.
    """

    source: str
    family: str
    kind: FeedKind
    heartbeat_s: float = 0.0
    decimals: int | None = None
    chain: str = ""
    liquidity_usd: float = 0.0


class PegLevel(_Part, frozen=True, kw_only=True):
    """A level of distress: entered when the price has been `deviation_bps` off its peg for `duration_s`."""

    deviation_bps: float
    duration_s: float


class PegRules(_Part, frozen=True, kw_only=True):
    """Levels of distress of a peg, each above the one before.

    A level is left only when the deviation has stayed below its threshold for `hysteresis` times its duration, one
    level at a time. Under BROKEN, what was lent before runs off in a straight line over `run_off_s`.
    Defaults of 2026-11-22, this project's: they stand between USDC in March 2023 (1,200 bp, real) and the rate cap of
    March 2026 (285 bp, the oracle's alone).
    """

    watch: PegLevel = PegLevel(deviation_bps=50.0, duration_s=300.0)
    stress: PegLevel = PegLevel(deviation_bps=200.0, duration_s=900.0)
    broken: PegLevel = PegLevel(deviation_bps=500.0, duration_s=3_600.0)
    hysteresis: float = 4.0
    stress_haircut_factor: float = 2.0
    run_off_s: float = 604_800.0


class OracleRules(_Part, frozen=True, kw_only=True):
    """When a quote counts, when it is an outlier, and when a price is settled enough to liquidate by.

    A push feed may be `heartbeat_factor` × heartbeat + `heartbeat_slack_s` old, a pulled price `pull_age_s`; a time
    stamp may lie `clock_skew_s` in the future. `confidence_max` is a share of the price. A vote further from the median
    than max(`mad_multiple` × 1.4826 MAD, `outlier_floor_bps`) is left out; two families further apart than
    `disagreement_bps` make no settled mark. The band is ± `band_sigmas` standard deviations. Defaults of 2026-11-22:
    the grace of Chainlink's sample for L2 feeds, slack for heartbeats that land late, the rest this project's."""

    heartbeat_factor: float = 1.1
    heartbeat_slack_s: float = 60.0
    pull_age_s: float = 30.0
    clock_skew_s: float = 60.0
    sequencer_grace_s: float = 3_600.0
    confidence_max: float = 0.01
    mad_multiple: float = 3.5
    outlier_floor_bps: float = 30.0
    disagreement_bps: float = 200.0
    band_sigmas: float = 2.0
    families_min: int = 2
    liquidation_families: int = 3
    liquidation_updates: int = 2
    liquidation_persistence_s: float = 60.0


class RateCapRules(_Part, frozen=True, kw_only=True):
    """How fast a redemption rate may grow: `growth_per_year` of its cap, and at most `step` in `step_window_s` when a
    cap is replaced; a new cap must leave `margin` above the rate of the day.
    Defaults of 2026-11-22: the limit of 3 % in three days that was in force on 10 March 2026, the rest this
    project's."""

    growth_per_year: float = 0.1
    step: float = 0.03
    step_window_s: float = 259_200.0
    margin: float = 0.0005
