"""What can happen to a token that came over a bridge: its backing is taken away, or its price falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crossmargin.adapters.contracts.deployed import Deployed
from crossmargin.adapters.networks.endpoints import anchored, read_slots
from crossmargin.cli.chains.breaking import moment
from crossmargin.cli.chains.desk import PROFILE, Sight
from crossmargin.cli.chains.opening import BRIDGED
from crossmargin.cli.chains.report import Break, Moment
from crossmargin.cli.chains.stage import CUSTODIAN, HONEST, ISSUER, UNIT, Side, Stage
from crossmargin.cli.wording import percent
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.chains.agreement import Frozen
from crossmargin.market.oracles.document import PegRules
from crossmargin.market.oracles.peg import PegReading, PegState, PegTrack, credit, observe_peg
from crossmargin.market.representations.document import PegName
from crossmargin.proofs.state import mapping_slot

PEGS: Final[dict[PegState, PegName]] = {
    PegState.NORMAL: "normal",
    PegState.WATCH: "watch",
    PegState.STRESS: "stress",
    PegState.BROKEN: "broken",
}
RULES: Final = PegRules()
# All but a little: anvil keeps a slot that falls to zero in its trie as a stored zero, which no chain does and no proof
# may hold (version 1.7.1).
STOLEN: Final = BRIDGED - 1
_LOOK_S: Final = 60
_STRESSED, _BROKEN = -0.04, -0.10
_THIEF: Final = bytes([6]) * 20


@dataclass(slots=True)
class Watch:
    """A peg that is watched while the chains go on."""

    stage: Stage
    track: PegTrack

    def over(self, seconds: float, deviation: float, *, backed: bool = True) -> Sight:
        """Readings of a minute each, until so many seconds have passed on both chains, and what the last leaves."""
        begin_s = self.stage.now_s
        self.stage.settle(int(seconds))
        for at_s in range(begin_s, self.stage.now_s, _LOOK_S):
            self._read(at_s, deviation, backed=backed)
        return self._sight(deviation, 1.0)

    def now(self, deviation: float, *, backing: float) -> Sight:
        """One reading, and what it leaves."""
        self._read(self.stage.now_s, deviation, backed=backing >= 1.0)
        return self._sight(deviation, backing)

    def _read(self, at_s: int, deviation: float, *, backed: bool) -> None:
        reading = PegReading(time_ns=at_s * SECOND_NS, deviation=deviation, supply_backed=backed)
        self.track = observe_peg(self.track, reading, RULES)

    def _sight(self, deviation: float, backing: float) -> Sight:
        left, ratio = credit(self.track, RULES, now_ns=self.stage.now_s * SECOND_NS), 1.0 + deviation
        return Sight(
            backing=min(backing, 1.0),
            market_ratio=ratio,
            held_ratio=ratio * left.existing_share,
            peg=PEGS[self.track.state],
        )


def drained(stage: Stage) -> Break:
    """The bridge's key sends away what is locked on A; later its sponsor fills it up again."""
    watch = Watch(stage, PegTrack())
    stage.settle()
    moments = [_backed(stage, watch, "before", "")]
    stage.a.token.do(stage.keys[CUSTODIAN], "transfer", _THIEF, STOLEN * UNIT)
    stage.settle()
    moments.append(_backed(stage, watch, "the lockbox on A is emptied", "proven on both chains: broken"))
    stage.a.token.do(stage.keys[ISSUER], "mint", stage.lockbox, STOLEN * UNIT)
    stage.settle()
    moments.append(_backed(stage, watch, "its sponsor fills it up", "let in slowly"))
    watch.over(RULES.broken.duration_s * RULES.hysteresis, 0.0)
    moments.append(_backed(stage, watch, "hours later", "calm for long enough"))
    return Break(id="drained", title="The bridge is drained", moments=tuple(moments))


def _backed(stage: Stage, watch: Watch, what: str, seen: str) -> Moment:
    """A look at lockbox and supply, both proven, and the margin that follows."""
    locked, supply = locked_and_supplied(stage)
    proof = f"{locked:,.0f} locked, {supply:,.0f} issued" + (f": {seen}" if seen else "")
    return moment(stage, what, proof, watch.now(0.0, backing=locked / supply))


def locked_and_supplied(stage: Stage) -> tuple[float, float]:
    """What the lockbox holds on A and what was issued on B, whole tokens, proven in final blocks."""
    slots = stage.a.token.artifact.slots
    lockbox = mapping_slot(slots["balanceOf"], [stage.lockbox], layout="vyper")
    return _slot(stage.a, stage.a.token, lockbox), _slot(stage.b, stage.b.token, slots["totalSupply"])


def _slot(side: Side, token: Deployed, slot: int) -> float:
    endpoints = side.follower.source.endpoints
    anchor = anchored(endpoints, PROFILE)
    assert not isinstance(anchor, Frozen), HONEST
    return read_slots(endpoints, anchor, token.address, [slot], code_hash=token.code_hash).values[slot] / UNIT


def depegged(stage: Stage) -> Break:
    """The bridged token falls against what backs it, further, and comes back."""
    watch = Watch(stage, PegTrack())
    stage.settle()
    moments = [moment(stage, "before", "")]
    for deviation, rule in ((_STRESSED, RULES.stress), (_BROKEN, RULES.broken)):
        sight = watch.over(rule.duration_s + 2 * _LOOK_S, deviation)
        what = f"{percent(-deviation)} below for {rule.duration_s / 60:.0f} minutes"
        moments.append(moment(stage, what, f"peg {sight.peg}", sight))
    sight = watch.over(RULES.stress.duration_s, 0.0)
    moments.append(moment(stage, "back at par", f"peg still {sight.peg}", sight))
    sight = watch.over(RULES.broken.duration_s * RULES.hysteresis, 0.0)
    moments.append(moment(stage, "hours later", f"peg {sight.peg}", sight))
    return Break(id="depeg", title="The bridged token loses its peg", moments=tuple(moments))
