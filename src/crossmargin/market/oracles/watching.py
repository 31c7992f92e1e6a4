"""An asset watched over time: each moment's quotes through gates, mark, peg and both clocks, to what it counts for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crossmargin.market.oracles.aggregate import aggregate
from crossmargin.market.oracles.clocks import Band, Persistence, liquidation_prices, new_risk_prices, observe
from crossmargin.market.oracles.document import OracleRules, PegRules
from crossmargin.market.oracles.gates import NO_SEQUENCERS, accepted
from crossmargin.market.oracles.peg import Credit, PegReading, PegTrack, credit, observe_peg
from crossmargin.market.oracles.pegged import PeggedValue, pegged_value
from crossmargin.market.oracles.quotes import Mark, Quote, Sequencer


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An asset: `families` is how many upstream families it has, `daily_vol` of its daily returns."""

    asset: str
    families: int
    daily_vol: float
    rules: OracleRules = field(default_factory=OracleRules)
    peg: PegRules = field(default_factory=PegRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is known of an asset at `time_ns`. `fund` is what it redeems for, none where it stands for nothing else."""

    time_ns: int
    quotes: tuple[Quote, ...]
    fund: float | None = None
    backing: float = 1.0
    redemption_open: bool = True
    proofs_fresh: bool = True
    sequencers: Mapping[str, Sequencer | None] = field(default_factory=lambda: NO_SEQUENCERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is remembered from one moment to the next; a new one remembers nothing."""

    persistence: Persistence = field(default_factory=Persistence)
    peg: PegTrack = field(default_factory=PegTrack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An asset at one moment.

    `new_risk` is what a unit counts for when something is opened or lent: the worst that any family says, the edge of
    the band, and for what has a peg no more than its value there; none where there is no price, and 0 where the peg is
    broken. `settled` are the prices of liquidations, times what a broken peg still leaves of old loans; none where
    nobody may be liquidated. `worth` is set for what has a peg."""

    time_ns: int
    mark: Mark
    new_risk: Band | None
    settled: Band | None
    worth: PeggedValue | None
    peg: PegTrack
    left: Credit


def watch(track: Track, moment: Moment, watched: Watched) -> tuple[Track, Sight]:
    """The track and the sight after one more moment; moments come in the order of time.

    Raises as `aggregate`, `pegged_value` and `observe_peg` do: for settings out of range, never for a quote."""
    rules, now_ns = watched.rules, moment.time_ns
    mark = aggregate(moment.quotes, rules, now_ns=now_ns, daily_vol=watched.daily_vol, sequencers=moment.sequencers)
    persistence = observe(track.persistence, mark, rules, families=watched.families)
    worth = _worth(moment, watched)
    reading = PegReading(
        time_ns=now_ns,
        deviation=None if worth is None else worth.deviation,
        redemption_open=moment.redemption_open,
        supply_backed=moment.backing >= 1.0,
    )
    peg = track.peg if worth is None else observe_peg(track.peg, reading, watched.peg)
    left = credit(peg, watched.peg, now_ns=now_ns)
    sight = Sight(
        time_ns=now_ns,
        mark=mark,
        new_risk=_scaled(_capped(new_risk_prices(mark), worth), left.new_risk_share),
        settled=_scaled(liquidation_prices(persistence, rules, now_ns=now_ns), left.existing_share),
        worth=worth,
        peg=peg,
        left=left,
    )
    return Track(persistence=persistence, peg=peg), sight


def _worth(moment: Moment, watched: Watched) -> PeggedValue | None:
    if moment.fund is None:
        return None
    kept, _ = accepted(moment.quotes, watched.rules, now_ns=moment.time_ns, sequencers=moment.sequencers)
    return pegged_value(
        fund=moment.fund,
        venues=kept,
        backing=moment.backing,
        redemption_open=moment.redemption_open,
        proofs_fresh=moment.proofs_fresh,
        rules=watched.peg,
    )


def _capped(band: Band | None, worth: PeggedValue | None) -> Band | None:
    if band is None or worth is None:
        return band
    return Band(collateral=min(band.collateral, worth.value), debt=band.debt)


def _scaled(band: Band | None, share: float) -> Band | None:
    return None if band is None else Band(collateral=band.collateral * share, debt=band.debt)
