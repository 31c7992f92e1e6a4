"""What is known of each token that collateral may be held in, as columns beside the instrument table."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntFlag
from typing import Final

import numpy as np

from crossmargin.collateral.document import TokenHaircuts
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen
from crossmargin.core.finality import LEVELS, TRUSTS, Health, Level, Trust
from crossmargin.instruments.table import InstrumentTable
from crossmargin.instruments.terms import Spot, Token
from crossmargin.market.chains.health import EFFECTS
from crossmargin.market.representations.build import ChainMarket
from crossmargin.market.snapshot import Snapshot


class Reason(IntFlag):
    """Why a holding counts for less than its asset does; several may hold."""

    BACKING = 1
    MARKET = 2
    BRIDGE = 4
    ONE_VERIFIER = 8
    CLOSED_BRIDGE = 16
    PEG_STRESS = 32
    PEG_BROKEN = 64
    UNPROVED = 128
    UNPROVED_CAP = 256
    NOT_FINAL = 512
    LAGGING = 1024
    HALTED = 2048
    FORKED = 4096
    GOVERNED = 8192
    RAMP = 16384
    CAP = 32768
    BRIDGE_CAP = 65536
    UNANCHORED_CAP = 131072


NONE: Final = -1
_UNHEALTHY: Final = {
    Health.LAGGING: Reason.LAGGING,
    Health.HALTED: Reason.HALTED,
    Health.FORKED: Reason.FORKED,
    Health.GOVERNED: Reason.GOVERNED,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokens:
    """Columns [instrument]; rows that are no token and on no chain that the market states hold the neutral value.

    `backing` and `ratio` of the price of the asset (the lower of backing and own market); `bridge_haircut`, 1 where
    nothing counts; those marked `inside` are for collateral inside the scenarios, without what these move; `stressed`
    and `broken` pegs; `lost` the chance that a pending credit is never final, 0 from FINAL on; `pending`; `fast`
    whether its chain and peg let a pending credit count; `quarantined` on a forked chain or known by one node alone;
    `halt_haircut`; `trust` by which a balance is known, as in `core.finality.Trust`; `cap_usd` by registry, of the
    stock of `instance` (a code, −1 for none); `chain` a code; `behind` [instrument, bridge] of `bridges`, whose
    `bridge_share` of equity may stand behind each; `reason` bits of `Reason` that hold for any amount.
    """

    backing: FloatArray
    ratio: FloatArray
    bridge_haircut: FloatArray
    bridge_haircut_inside: FloatArray
    stressed: BoolArray
    broken: BoolArray
    lost: FloatArray
    pending: BoolArray
    fast: BoolArray
    quarantined: BoolArray
    halt_haircut: FloatArray
    halt_haircut_inside: FloatArray
    trust: IndexArray
    cap_usd: FloatArray
    instance: IndexArray
    chain: IndexArray
    behind: BoolArray
    reason: IndexArray
    bridges: tuple[str, ...]
    bridge_share: FloatArray


def own_prices(table: InstrumentTable, snapshot: Snapshot) -> FloatArray:
    """USD of one unit [instrument] as R moves it: of a token its own price behind old risk, else that of what the row
    settles in."""
    price = [
        snapshot.token_price(t.asset, t.instance, held=True)
        if isinstance(t, Token)
        else snapshot.asset_price(table.assets[table.settle[i]])
        for i, t in enumerate(table.terms)
    ]
    return frozen(price)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One row of `Tokens` in the making."""

    backing: float = 1.0
    ratio: float = 1.0
    bridge_haircut: float = 0.0
    bridge_haircut_inside: float = 0.0
    stressed: bool = False
    broken: bool = False
    lost: float = 0.0
    pending: bool = False
    fast: bool = False
    quarantined: bool = False
    halt_haircut: float = 0.0
    halt_haircut_inside: float = 0.0
    trust: int = int(Trust.L4)
    cap_usd: float = np.inf
    instance: int = NONE
    chain: int = NONE
    reason: int = 0


def tokens_of(
    table: InstrumentTable,
    snapshot: Snapshot,
    rules: TokenHaircuts,
    *,
    halt_loss: FloatArray,
    inside: frozenset[str] = frozenset(),
    held: bool = False,
) -> Tokens | None:
    """The columns of a table for new risk, or with `held` for risk that was taken before; none where the market states
    no chains.

    A peg in stress, a chain of two histories or changed by force, and a paused bridge stop new risk at once and are no
    reason to sell what is there; a broken peg runs off by its `held_ratio`. The bits of `reason` are of new risk.

    `halt_loss` [instrument] is the expected loss over a halt of the row's chain, a decimal. `inside` are factors that
    scenarios move where collateral stands inside them: their bridges and halts take no haircut again.
    """
    chains = snapshot.chains
    if chains is None:
        return None
    bridges = tuple(sorted(chains.bridges))
    known = {name: i for i, name in enumerate(chains.chains)}
    instances = {name: i for i, name in enumerate(chains.instances)}
    behind = np.zeros((len(table), len(bridges)), np.bool_)
    rows = []
    for i, terms in enumerate(table.terms):
        found = _Row()
        if isinstance(terms, Token):
            snapshot.chains_of(terms.instance)
            found = _token(terms, chains, rules, float(halt_loss[i]), inside, instances[terms.instance])
            found = _for_held(found, terms, chains, rules, inside) if held else found
            behind[i] = np.isin(bridges, chains.registry.bridges_behind(terms.instance))
        elif isinstance(terms, Spot) and terms.chain in known:
            found = _on_chain(terms.chain, chains, float(halt_loss[i]), inside)
            found = replace(found, quarantined=False) if held else found
        chain = known.get(terms.chain, NONE) if isinstance(terms, Spot) else NONE
        rows.append((found, chain))
    columns = {f.name: [getattr(row, f.name) for row, _ in rows] for f in fields(_Row) if f.name != "chain"}
    dtypes = {"instance": np.int32, "reason": np.int32, "trust": np.int32}
    flags = ("stressed", "broken", "pending", "fast", "quarantined")
    return Tokens(
        **{
            name: frozen(column, np.bool_ if name in flags else dtypes.get(name, np.float64))
            for name, column in columns.items()
        },
        chain=frozen([chain for _, chain in rows], np.int32),
        behind=frozen(behind, np.bool_),
        bridges=bridges,
        bridge_share=frozen([chains.registry.bridges[b].exposure_cap for b in bridges]),
    )


def _on_chain(chain: str, chains: ChainMarket, halt_loss: float, inside: frozenset[str]) -> _Row:
    """What the health of its chain alone does to a holding that names no instance."""
    health = chains.health(chain)
    haircut = min(halt_loss, 1.0) if health == Health.HALTED else 0.0
    return _Row(
        quarantined=not EFFECTS[health].final,
        halt_haircut=haircut,
        halt_haircut_inside=0.0 if f"chain:{chain}" in inside else haircut,
        reason=int(_UNHEALTHY.get(health, Reason(0))),
    )


def _token(
    token: Token, chains: ChainMarket, rules: TokenHaircuts, halt_loss: float, inside: frozenset[str], code: int
) -> _Row:
    on_chain, state = _on_chain(token.chain, chains, halt_loss, inside), chains.instances[token.instance]
    backing, ratio = chains.backing(token.instance), chains.ratio(token.instance)
    haircut, why = _bridge_haircut(token, chains, rules)
    level, trust = LEVELS[token.level], TRUSTS[token.trust]
    lost = {Level.SEEN: rules.lost_seen, Level.INCLUDED: rules.lost_included, Level.SAFE: rules.lost_safe}
    broken, stressed = state.peg == "broken", state.peg == "stress"
    reason = Reason(on_chain.reason) | why
    for holds, one in (
        (backing < 1.0, Reason.BACKING),
        (ratio < backing, Reason.MARKET),
        (broken, Reason.PEG_BROKEN),
        (stressed, Reason.PEG_STRESS),
        (trust == Trust.L0, Reason.UNPROVED),
        (level < Level.FINAL, Reason.NOT_FINAL),
    ):
        reason |= one if holds else Reason(0)
    return _Row(
        backing=backing,
        ratio=ratio,
        bridge_haircut=haircut,
        bridge_haircut_inside=_bridge_haircut(token, chains, rules, inside=inside)[0],
        stressed=stressed,
        broken=broken,
        lost=lost.get(level, 0.0),
        pending=level < Level.FINAL,
        fast=EFFECTS[chains.health(token.chain)].fast and not (broken or stressed),
        quarantined=on_chain.quarantined or trust == Trust.L0,
        halt_haircut=on_chain.halt_haircut,
        halt_haircut_inside=on_chain.halt_haircut_inside,
        trust=int(trust),
        cap_usd=chains.registry.cap_usd(token.instance, proven_liquidity_usd=state.liquidity_usd),
        instance=code,
        reason=int(reason),
    )


def _for_held(found: _Row, token: Token, chains: ChainMarket, rules: TokenHaircuts, inside: frozenset[str]) -> _Row:
    """The row of a token for risk that was taken before."""
    return replace(
        found,
        ratio=chains.ratio(token.instance, held=True),
        bridge_haircut=_bridge_haircut(token, chains, rules, held=True)[0],
        bridge_haircut_inside=_bridge_haircut(token, chains, rules, inside=inside, held=True)[0],
        stressed=False,
        broken=found.broken and chains.instances[token.instance].held_ratio is None,
        quarantined=TRUSTS[token.trust] == Trust.L0,
    )


def differ(one: Tokens, other: Tokens) -> bool:
    """Whether any column of two tables of tokens differs."""
    return any(not np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Tokens))


def _bridge_haircut(
    token: Token,
    chains: ChainMarket,
    rules: TokenHaircuts,
    *,
    inside: frozenset[str] = frozenset(),
    held: bool = False,
) -> tuple[float, Reason]:
    """What the bridges behind a token take off, one after the other, and why."""
    left, why = 1.0, Reason(0)
    kind = chains.registry.instances[token.instance].kind
    for bridge in chains.registry.bridges_behind(token.instance):
        verifiers, issuer = chains.verifiers(bridge), chains.registry.bridges[bridge].issuer
        if chains.is_closed(bridge, held=held):
            left, why = 0.0, why | Reason.CLOSED_BRIDGE
        elif kind == "burn_mint" and issuer:
            taken = rules.issuer_bridge
        elif verifiers < 2:
            left, why = 0.0, why | Reason.ONE_VERIFIER
        else:
            taken = rules.three_verifiers if verifiers >= 3 else rules.two_verifiers
        if left and f"backing:{bridge}" not in inside:
            left, why = left * (1.0 - taken), why | Reason.BRIDGE
    return 1.0 - left, why
