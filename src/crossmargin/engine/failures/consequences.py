"""What each effect of a failure does to a footing: moves of factors, lines that do not count, findings, states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from crossmargin.core.arrays import BoolArray, FloatArray
from crossmargin.engine.failures.detecting import (
    FAMILIES,
    Finding,
    Pegged,
    finality_monitor,
    pegged,
    priced,
    quorum,
    rate_cap,
    supply_invariant,
)
from crossmargin.engine.failures.footing import Footing
from crossmargin.market.oracles.document import Feed, OracleRules, PegRules, RateCapRules
from crossmargin.market.oracles.pegged import pegged_value
from crossmargin.market.oracles.quotes import Quote
from crossmargin.scenarios.failures.document import (
    ASSET_TARGETS,
    BRIDGE_TARGETS,
    CHAIN_TARGETS,
    Backing,
    Chain,
    Custody,
    Detection,
    Effect,
    Exit,
    Fees,
    ForcedSales,
    Limits,
    Move,
    Oracle,
    Peg,
)
from crossmargin.scenarios.failures.library import Failure

SHARES: Final = ("gone", "frozen", "waiting", "run_off", "haircut")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How failures are found and priced; the oracle's own defaults."""

    detection: Detection
    peg: PegRules = field(default_factory=PegRules)
    oracle: OracleRules = field(default_factory=OracleRules)
    cap: RateCapRules = field(default_factory=RateCapRules)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Consequences:
    """What an effect, or all of them, come to.

    Moves of factors: `true` in the market, `cautious` as new risk is measured, `settled` as liquidations are, and
    `availability` of chains and assets that stand still. `shares` by line of collateral [holding]: `gone` for good,
    `frozen` for new risk while it lasts, `waiting` for a way out, `run_off` no longer counted for old risk either;
    `haircut` is what is added to haircuts, as a multiple of them."""

    true: Mapping[str, float] = field(default_factory=dict)
    cautious: Mapping[str, float] = field(default_factory=dict)
    settled: Mapping[str, float] = field(default_factory=dict)
    availability: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, FloatArray] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    targets: tuple[str, ...] = ()
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One failure of one book: what every effect is judged by."""

    footing: Footing
    duration_s: float
    rules: Rules


def consequences(failure: Failure, footing: Footing, rules: Rules) -> Consequences:
    """All effects of a failure on a book at once; what the book does not hold is said and left out.

    Moves of one factor compound; of shares of one line the largest stands. Of ranges the larger end is taken
    (`scenarios.failures.severity` makes points of them); what forced sales add is told by `engine.failures.sales`."""
    case = _Case(footing=footing, duration_s=failure.duration_s[1], rules=rules)
    parts = [_effect(effect, case) for effect in failure.effects]
    none = np.zeros(len(footing.book.holdings))
    return Consequences(
        true=compounded(part.true for part in parts),
        cautious=compounded(part.cautious for part in parts),
        settled=compounded(part.settled for part in parts),
        availability={factor: x for part in parts for factor, x in part.availability.items()},
        shares={name: np.max([none, *(part.shares.get(name, none) for part in parts)], axis=0) for name in SHARES},
        findings=tuple(dict.fromkeys(finding for part in parts for finding in part.findings)),
        targets=tuple(dict.fromkeys(name for part in parts for name in part.targets)),
        states=tuple(dict.fromkeys(state for part in parts for state in part.states)),
    )


def compounded(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Relative moves of several lists, those of one factor one after the other."""
    total: dict[str, float] = {}
    for moves in parts:
        for factor, x in moves.items():
            total[factor] = (1.0 + total[factor]) * (1.0 + x) - 1.0 if factor in total else x
    return total


def _effect(effect: Effect, case: _Case) -> Consequences:
    match effect:
        case Move():
            return _market(effect, case)
        case ForcedSales():
            return Consequences()
        case Backing():
            return _backing(effect, case)
        case Chain():
            return _chain(effect, case)
        case Peg():
            return _peg(effect, case)
        case Oracle():
            return _oracle(effect, case)
        case Custody():
            return _custody(effect, case)
        case Exit():
            return _exit(effect, case)
        case Fees():
            return Consequences(states=(f"transfers on {effect.chain} cost {effect.multiple:g} times as much",))
        case Limits():
            bridge, targets = _target(effect.bridge, case)
            said = f"rate limits of {bridge or 'every bridge'} are used up by others"
            full = Finding(detector="lane limits", after_s=case.rules.detection.poll_s, words="the buckets are empty")
            return Consequences(states=(said,), targets=targets, findings=(full,))


def _market(effect: Move, case: _Case) -> Consequences:
    """Coins not named move by `spot:*`; factors that the market lacks are left out."""
    known = case.footing.snapshot.underlyings.values()
    every = effect.shocks.get("spot:*")
    coins = [u.factor for u in known if u.kind == "spot" and u.risk_class.startswith("crypto")]
    held = {u.factor for u in known}
    moves = {} if every is None else dict.fromkeys(coins, every)
    moves |= {factor: x for factor, x in effect.shocks.items() if factor in held}
    lost = tuple(f"{factor} is not in this market" for factor in effect.shocks if factor not in {*held, "spot:*"})
    seen = Finding(detector="marks", after_s=case.rules.detection.poll_s, words="prices move")
    return Consequences(true=moves, cautious=moves, settled=moves, findings=(seen,) if moves else (), states=lost)


def _target(target: str, case: _Case) -> tuple[str, tuple[str, ...]]:
    """The name that a target has in this book ("" for none), and that in words where it was relative."""
    if target in BRIDGE_TARGETS:
        name, said = case.footing.largest_bridge(), "largest bridge"
    elif target in ASSET_TARGETS:
        name, said = case.footing.largest_asset(target), target.replace("_", " ") + " asset"
    else:
        return target, ()
    return name, (f"{said}: {name or 'none held'}",)


def _chain_target(target: str, case: _Case) -> tuple[str, tuple[str, ...]]:
    if target not in CHAIN_TARGETS:
        return target, ()
    l2 = target == "largest_l2"
    name = case.footing.largest_chain(l2=l2)
    return name, (f"{'L2' if l2 else 'chain'} with most collateral: {name or 'none held'}",)


def _nothing(targets: tuple[str, ...], said: str) -> Consequences:
    return Consequences(targets=targets, states=(said,))


def _on(lines: BoolArray, **shares: float) -> dict[str, FloatArray]:
    """Shares of the chosen lines."""
    return {name: np.where(lines, share, 0.0) for name, share in shares.items()}


def _left(lines: BoolArray, peg: Pegged) -> dict[str, FloatArray]:
    """What a peg's state takes of the lines that rest on it."""
    return _on(
        lines,
        frozen=1.0 - peg.credit.new_risk_share,
        run_off=1.0 - peg.credit.existing_share,
        haircut=peg.credit.haircut_factor - 1.0,
    )


def _peg_finding(peg: Pegged, name: str) -> Finding:
    if peg.after_s is None:
        return Finding(detector="peg state", after_s=None, words=f"{name} never leaves its band for long enough")
    return Finding(detector="peg state", after_s=peg.after_s, words=f"{name} ends in {peg.state.name}")


def _backing(effect: Backing, case: _Case) -> Consequences:
    (bridge, targets), footing, rules = _target(effect.bridge, case), case.footing, case.rules
    lines = footing.behind(bridge)
    if not lines.any():
        return _nothing(targets, "no collateral stands behind that bridge")
    loss, poll, end_s = effect.loss_hi, rules.detection.poll_s, case.duration_s
    proof = supply_invariant(footing.registry, bridge, rules.detection, provable=effect.provable)
    seen = proof.after_s if proof.after_s is not None and proof.after_s <= end_s else None

    def market(at_s: float) -> float:
        if at_s < effect.silent_s or effect.silent_s >= end_s:
            return 0.0
        return -loss * min((at_s - effect.silent_s) / effect.falls_s, 1.0) if effect.falls_s else -loss

    alone = pegged(market, end_s, rules.peg, poll_s=poll)
    both = pegged(market, end_s, rules.peg, poll_s=poll, broken_s=seen)
    fall = {f"backing:{bridge}": -loss}
    known = fall if seen is not None or market(end_s) < 0.0 else {}
    back = (f"{100.0 * effect.recovered:.0f} % came back later",) if effect.recovered else ()
    return Consequences(
        true=fall,
        cautious=known,
        settled=known,
        shares=_left(lines, both),
        findings=(proof, _peg_finding(alone, f"what stands behind {bridge}")),
        targets=targets,
        states=back,
    )


def _chain(effect: Chain, case: _Case) -> Consequences:
    (chain, targets), footing = _chain_target(effect.chain, case), case.footing
    lines = footing.on_chain(chain)
    if not chain or not lines.any():
        return _nothing(targets, f"nothing is held on {chain or 'it'}")
    known = footing.registry.chains.get(chain)
    name = known.name if known else chain
    frozen = waits = False
    match effect.health:
        case "halted":
            said = f"{name} stands still: what is on it counts for old risk, and can meet no call"
            frozen = waits = True
        case "lagging":
            said = f"{name} does not finalise: credits since then do not count"
        case "reorganised" if known is not None and effect.reorg_s <= known.finality.final_s:
            said = f"{name} takes back {effect.reorg_s:g} s: none of it counted as final"
        case "reorganised":
            said, frozen = f"{name} takes back {effect.reorg_s:g} s of what was final: quarantined", True
        case "governed":
            said, frozen = f"{name} was changed by force: balances count again once they are proved anew", True
    return Consequences(
        availability={f"chain:{chain}": -1.0} if frozen else {},
        shares=_on(lines, frozen=float(frozen), waiting=float(waits)),
        findings=_chain_findings(effect, chain, case),
        targets=targets,
        states=(said,),
    )


def _chain_findings(effect: Chain, chain: str, case: _Case) -> tuple[Finding, ...]:
    poll, known = case.rules.detection.poll_s, case.footing.registry.chains.get(chain)
    if effect.health == "reorganised":
        return (Finding(detector="finality monitor", after_s=poll, words="a block whose parent is another"),)
    if effect.health == "governed":
        after_s = poll + known.finality.final_s if known else None
        return (Finding(detector="state proof", after_s=after_s, words="a balance that its owner did not move"),)
    late = finality_monitor(case.footing.registry, chain, case.duration_s, case.rules.detection)
    if effect.health == "halted" and known is not None and known.sequencer:
        gate = Finding(detector="sequencer feed", after_s=poll, words="prices read on it are refused at once")
        return (gate, late)
    return (late,)


def _peg(effect: Peg, case: _Case) -> Consequences:
    (asset, targets), footing, rules = _target(effect.asset, case), case.footing, case.rules
    lines = footing.of_asset(asset)
    if not lines.any():
        return _nothing(targets, f"no {asset or 'such asset'} is held")
    poll = rules.detection.poll_s
    others = effect.elsewhere if effect.venues == "one" else effect.low
    prices = {f"venue {i + 1}": (f"venue {i + 1}", 1.0 + (others if i else effect.low)) for i in range(FAMILIES)}
    quotes = priced(prices, case.duration_s, rules.oracle, poll_s=poll)
    value = pegged_value(
        fund=1.0,
        venues=_venues(prices),
        backing=1.0,
        redemption_open=effect.redemption_open,
        proofs_fresh=True,
        rules=rules.peg,
    )
    went = pegged(
        lambda at_s: (value.deviation or 0.0) * (min(at_s / effect.falls_s, 1.0) if effect.falls_s else 1.0),
        case.duration_s,
        rules.peg,
        poll_s=poll,
        redemption_open=effect.redemption_open,
    )
    by_rule = value.value - 1.0 if value.rule == "redemption" else quotes.settled - 1.0
    factors = _peg_factors(footing, asset)
    return Consequences(
        true=dict.fromkeys(factors, others),
        cautious=dict.fromkeys(factors, max(quotes.new_risk - 1.0, -1.0)),
        settled=dict.fromkeys(factors, max(by_rule, -1.0)),
        shares=_left(lines, went),
        findings=(quorum(quotes, poll), _peg_finding(went, asset)),
        targets=targets,
        states=() if effect.redemption_open else (f"{asset} cannot be redeemed",),
    )


def _peg_factors(footing: Footing, asset: str) -> tuple[str, ...]:
    """Factors of an asset's own price: of what it is over bridges too; an asset that is its reference has none."""
    known = footing.snapshot.assets
    return tuple(f"peg:{name}" for name in footing.named(asset) if name in known and known[name].reference != name)


def _venues(prices: dict[str, tuple[str, float]]) -> tuple[Quote, ...]:
    """The last price of each venue as a quote, of like liquidity."""
    return tuple(
        Quote(
            feed=Feed(source=source, family=family, kind="venue", liquidity_usd=1e7),
            price=price,
            confidence=0.0,
            publish_ns=0,
            seen_ns=0,
        )
        for source, (family, price) in prices.items()
    )


def _oracle(effect: Oracle, case: _Case) -> Consequences:
    (asset, targets), rules = _target(effect.asset, case), case.rules
    if not case.footing.of_asset(asset).any():
        return _nothing(targets, f"no {asset or 'such asset'} is held")
    cap = () if effect.cap_ratio is None else (rate_cap(effect.cap_ratio, rules.cap),)
    said = {
        f"source {i + 1}": ("the poisoned upstream", 1.0 + effect.deviation)
        if i < effect.poisoned
        else (f"upstream {i + 1}", 1.0)
        for i in range(effect.sources)
    }
    quotes = priced(said, case.duration_s, rules.oracle, poll_s=rules.detection.poll_s)
    factors, families = _peg_factors(case.footing, asset), len({family for family, _ in said.values()})
    return Consequences(
        cautious=dict.fromkeys(factors, max(quotes.new_risk - 1.0, -1.0)),
        settled=dict.fromkeys(factors, max(quotes.settled - 1.0, -1.0)),
        findings=(*cap, quorum(quotes, rules.detection.poll_s)),
        targets=targets,
        states=(f"{effect.sources} sources of {families} upstream families; the market of {asset} stands",),
    )


def _custody(effect: Custody, case: _Case) -> Consequences:
    chain, targets = _chain_target(effect.chain, case)
    lines = case.footing.on_chain(chain)
    if not lines.any():
        return _nothing(targets, f"nothing is held on {chain or 'it'}")
    return Consequences(
        true={f"chain:{chain}": -effect.loss_hi},
        shares=_on(lines, gone=effect.loss_hi),
        targets=targets,
        states=("a venue's books: no proof of one's own shows what it lacks",),
    )


def _exit(effect: Exit, case: _Case) -> Consequences:
    asset, targets = _target(effect.asset, case)
    lines = case.footing.of_asset(asset)
    if not lines.any():
        return _nothing(targets, f"no {asset or 'such asset'} is held")
    return Consequences(
        availability=dict.fromkeys(_peg_factors(case.footing, asset), -1.0),
        shares=_on(lines, frozen=1.0, waiting=1.0),
        targets=targets,
        states=(f"{asset} cannot be withdrawn or sold",),
    )
