"""What is said of collateral on chains: token by token, and by asset, chain and bridge. Frozen values, as `reports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
import numpy as np

from crossmargin.collateral.tokens import Reason
from crossmargin.core.arrays import FloatArray, tally
from crossmargin.core.finality import HEALTH_NAMES, HealthName, LevelName, TrustName
from crossmargin.instruments.terms import Token
from crossmargin.margin.chain_terms import NONE
from crossmargin.margin.ways import cheapest_ways
from crossmargin.market.representations.build import ChainMarket
from crossmargin.market.representations.document import PegName

if TYPE_CHECKING:
    from crossmargin.engine.margin import MarginResult

StandingKind: TypeAlias = Literal["asset", "chain", "bridge", "token"]
_KINDS: Final[tuple[StandingKind, ...]] = ("asset", "chain", "bridge", "token")
REASONS: Final[dict[Reason, str]] = {
    Reason.BACKING: "less is locked at home than was issued",
    Reason.MARKET: "its own market is below what backs it",
    Reason.BRIDGE: "it came over a bridge",
    Reason.ONE_VERIFIER: "one verifier alone guards its bridge",
    Reason.CLOSED_BRIDGE: "its bridge is paused or exploited",
    Reason.PEG_STRESS: "its peg is in stress",
    Reason.PEG_BROKEN: "its peg is broken",
    Reason.UNPROVED: "one node alone says that it is there",
    Reason.UNPROVED_CAP: "more than counts without a proof",
    Reason.UNANCHORED_CAP: "more than counts under a header that nothing anchors",
    Reason.NOT_FINAL: "it is not final yet",
    Reason.LAGGING: "its chain is late with final blocks",
    Reason.HALTED: "its chain has halted",
    Reason.FORKED: "its chain has forked",
    Reason.GOVERNED: "its chain was changed by force",
    Reason.RAMP: "more than the registry lets count",
    Reason.CAP: "more than the model's caps let count",
    Reason.BRIDGE_CAP: "more than one bridge may carry",
}


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Shared settings of all parts."""


class TransferLine(_Part, frozen=True, kw_only=True):
    """The way of a token to where it is needed, the cheapest in time for all that counts: its cost, its median and slow
    time from sending to use, and whether that is `in_time`. `route` is "" where no way is open."""

    to: str
    route: str
    cost_usd: float
    p50_s: float
    p95_s: float
    in_time: bool = True


class TokenLine(_Part, frozen=True, kw_only=True):
    """What is known of a holding that names its instance, and what was taken off it, USD.

    `price_usd` is its own price, the lower of backing and own market. gross − recognised = `price_haircut_usd` +
    `peg_usd` + `backing_usd` + `finality_usd` + `liquidity_usd`; of this `pending_usd` counts once it is final, and
    `refused_usd` is not accepted. `bridges` stand behind it, `reasons` say why it counts for less.
    """

    instance: str
    level: LevelName
    trust: TrustName
    health: HealthName
    peg: PegName
    bridges: tuple[str, ...]
    price_usd: float
    backing: float
    price_haircut_usd: float
    peg_usd: float
    backing_usd: float
    finality_usd: float
    liquidity_usd: float
    pending_usd: float
    refused_usd: float
    reasons: tuple[str, ...]
    transfer: TransferLine | None = None


class ChainTermShare(_Part, frozen=True, kw_only=True):
    """What a holding on a chain, or a bridge, has in one of the terms of chains of a pool, USD of initial margin.

    `share_usd` add up to the term over all holdings, and those of the term `bridge` over all bridges as well;
    `marginal_usd` is the term with it minus without it, and adds up to nothing. A bridge is left out by not failing.
    """

    pool: str
    term: str
    kind: Literal["holding", "bridge"]
    name: str
    share_usd: float
    marginal_usd: float


class Standing(_Part, frozen=True, kw_only=True):
    """All that an account or a book holds in one asset or token, on one chain or behind one bridge, USD.

    What stands behind two bridges is counted at both. Of a token, `asset` is what it stands for and `cap_usd` what the
    registry lets count of it in one pool.
    """

    kind: StandingKind
    name: str
    gross_usd: float
    recognised_usd: float
    pending_usd: float
    refused_usd: float
    asset: str = ""
    cap_usd: float | None = None


def reasons_of(bits: int) -> tuple[str, ...]:
    """The reasons that hold, in words."""
    return tuple(words for reason, words in REASONS.items() if bits & reason)


def token_line(result: MarginResult, line: int) -> TokenLine | None:
    """What is known of one holding; none where it names no instance."""
    book, held, snapshot = result.book, result.holdings, result.plan.snapshot
    terms = book.table.terms[int(book.holdings.instrument[line])]
    chains = snapshot.chains
    if not isinstance(terms, Token) or chains is None:
        return None
    state = chains.instances[terms.instance]
    return TokenLine(
        instance=terms.instance,
        level=terms.level,
        trust=terms.trust,
        health=HEALTH_NAMES[chains.health(terms.chain)],
        peg=state.peg,
        bridges=chains.registry.bridges_behind(terms.instance),
        price_usd=snapshot.token_price(terms.asset, terms.instance),
        backing=chains.backing(terms.instance),
        price_haircut_usd=float(held.price[line]),
        peg_usd=float(held.peg[line]),
        backing_usd=float(held.backing[line]),
        finality_usd=float(held.finality[line]),
        liquidity_usd=float(held.liquidity[line]),
        pending_usd=float(held.pending[line]),
        refused_usd=float(held.refused[line]),
        reasons=reasons_of(int(held.reason[line])),
        transfer=_transfer_line(result, line, chains.needed_on),
    )


def _transfer_line(result: MarginResult, line: int, to: str) -> TransferLine | None:
    """The way of one holding, which the terms of chains take too; none where it need not go anywhere."""
    risk, lines = result.plan.chain_risk, result.book.holdings
    lane = NONE if risk is None else int(risk.lane[lines.instrument[line]])
    if risk is None or lane == NONE:
        return None
    one = slice(line, line + 1)
    counts = np.maximum(result.held.recognised[one], 0.0)
    taken = cheapest_ways(risk.lanes, np.asarray([lane]), counts, np.maximum(lines.quantity[one], 0.0))
    return TransferLine(
        to=to,
        route=risk.lanes.routes[lane][int(taken.way[0])],
        cost_usd=float(taken.cost_usd[0]),
        p50_s=float(taken.p50_s[0]),
        p95_s=float(taken.p95_s[0]),
        in_time=bool(taken.in_time[0]),
    )


def standings(result: MarginResult, first: int, last: int, *, tokens: bool = False) -> tuple[Standing, ...]:
    """What the pools from `first` to `last` (excluded) hold by asset, chain and bridge, and with `tokens` by token with
    what the registry lets count of it; each kind by size.

    Nothing where the market states no chains.
    """
    ready, book, held = result.plan, result.book, result.holdings
    chains, known = ready.snapshot.chains, ready.tokens
    if chains is None or known is None:
        return ()
    table, lines = book.table, slice(int(book.holdings.ptr[first]), int(book.holdings.ptr[last]))
    row = book.holdings.instrument[lines]
    columns = (held.gross, held.recognised, held.pending, held.refused)
    sums = np.stack([tally(row, column[lines], len(table)) for column in columns])
    stood = dict[tuple[StandingKind, str], FloatArray]()
    for i in np.unique(row):
        terms = table.terms[i]
        names: list[tuple[StandingKind, str]] = [
            ("asset", table.assets[table.settle[i]]),
            ("chain", table.chains[table.chain[i]] if table.chain[i] >= 0 else ""),
            *(("bridge", name) for name, stands in zip(known.bridges, known.behind[i], strict=True) if stands),
        ]
        if tokens and isinstance(terms, Token):
            names.append(("token", terms.instance))
        for key in names:
            stood[key] = stood.get(key, np.zeros(len(columns))) + sums[:, i]
    made = [_standing(kind, name, figures) for (kind, name), figures in stood.items()]
    return tuple(
        _as_token(one, chains) if one.kind == "token" else one
        for one in sorted(made, key=lambda s: (_KINDS.index(s.kind), -s.gross_usd, s.name))
    )


def _standing(kind: StandingKind, name: str, figures: FloatArray) -> Standing:
    gross, recognised, pending, refused = (float(x) for x in figures)
    return Standing(
        kind=kind, name=name, gross_usd=gross, recognised_usd=recognised, pending_usd=pending, refused_usd=refused
    )


def _as_token(one: Standing, chains: ChainMarket) -> Standing:
    liquidity_usd = chains.instances[one.name].liquidity_usd
    return msgspec.structs.replace(
        one,
        asset=chains.registry.instances[one.name].canonical,
        cap_usd=chains.registry.cap_usd(one.name, proven_liquidity_usd=liquidity_usd),
    )
