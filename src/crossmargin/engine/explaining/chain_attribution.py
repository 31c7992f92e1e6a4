"""Who the terms of chains are for: what each holding and each bridge has in them, and what they are without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crossmargin.accounts.equity import position_worth
from crossmargin.core.arrays import FloatArray, IntArray, tally
from crossmargin.engine.collateral_risk import (
    chain_factors,
    chain_terms_of,
    contained_failures,
    held_of,
    inside_scenarios,
)
from crossmargin.engine.margin import MarginResult, margin
from crossmargin.engine.reports import Share
from crossmargin.engine.token_reports import ChainTermShare
from crossmargin.engine.variants import with_quantities
from crossmargin.engine.whatif import WhatIf
from crossmargin.margin.chain_shares import term_parts, worst_pairs
from crossmargin.margin.chain_terms import CHAIN_TERMS, ChainRisk, arrivals, arriving, bridge_failures

BRIDGE = CHAIN_TERMS.index("bridge")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WithoutHoldings:
    """An account without each of its holdings on chains: the `lines` of these, and the margin of the versions in their
    order."""

    lines: IntArray
    versions: MarginResult


def without_each_holding(what: WhatIf) -> WithoutHoldings | None:
    """The account once without each holding on a chain that the market states; none where it has none."""
    risk, held = what.plan.chain_risk, what.book.holdings
    lines = np.zeros(0, np.int64) if risk is None else np.flatnonzero(risk.chain[held.instrument] >= 0)
    if not len(lines):
        return None
    quantity = np.tile(held.quantity, (len(lines), 1))
    quantity[np.arange(len(lines)), lines] = 0.0
    book = with_quantities(what.book, np.tile(what.book.positions.quantity, (len(lines), 1)), quantity)
    return WithoutHoldings(lines=lines, versions=margin(book, what.plan.snapshot, what.plan.model, prepared=what.plan))


def token_shares(result: MarginResult, without: WithoutHoldings | None) -> tuple[Share, ...]:
    """The initial margin with each token minus without it; none where the account has none.

    Terms of chains grow with what stands behind a bridge or on a chain, and fall with what arrives first, so that a
    token can ask for margin or spare it. They are no function of scenarios alone, and have no Euler shares of the scan.
    """
    if without is None or result.plan.tokens is None:
        return ()
    asked = float(result.pools.initial.sum()) - without.versions.by_account(without.versions.pools.initial)
    rows = result.book.holdings.instrument[without.lines]
    return tuple(
        Share(name=result.book.table.ids[row], euler_usd=None, marginal_usd=float(share))
        for row, share in zip(rows, asked, strict=True)
        if result.plan.tokens.instance[row] >= 0
    )


def chain_term_shares(result: MarginResult, without: WithoutHoldings | None) -> tuple[ChainTermShare, ...]:
    """What each holding has in each term of chains, and each bridge in the term `bridge`; what has nothing is left out.

    A holding has what it loses, waits or costs in the case that sets the term, scaled as the term is by what positions
    need of it. Of two bridges behind one holding that fail together each has half, for they fail alike (the value of
    Shapley 1953, "A value for n-person games").
    """
    if without is None or result.plan.chain_risk is None:
        return ()
    shares = holding_term_shares(result, result.plan.chain_risk)
    found = (*_of_holdings(result, without, shares), *_of_bridges(result, result.plan.chain_risk, shares[:, BRIDGE]))
    return tuple(one for one in found if one.share_usd or one.marginal_usd)


def holding_term_shares(result: MarginResult, risk: ChainRisk) -> FloatArray:
    """What each holding has in each term of its pool [holding, term], USD before factors: they add up to the term."""
    book, ready = result.book, result.plan
    pools, held = len(book.pools), held_of(book.holdings, result.held)
    found = arrivals(held, risk)
    used = arriving(held, found, tally(book.group_pool, result.groups.covered, pools))
    parts = term_parts(held, risk, found, used, ready.terms.matrix, ready.model, pools)
    total = np.stack([tally(held.pool, parts[:, term], pools) for term in range(len(CHAIN_TERMS))], axis=1)
    scale = np.where(total > 0.0, result.pools.chain_terms / np.where(total > 0.0, total, 1.0), 0.0)
    return np.asarray(parts * scale[held.pool])


def _of_holdings(result: MarginResult, without: WithoutHoldings, shares: FloatArray) -> Iterator[ChainTermShare]:
    book, lines = result.book, without.lines
    factors = [factor.initial for factor in chain_factors(result.plan.model)]
    pool = book.holdings.owner[lines]
    terms = without.versions.pools.chain_terms.reshape(len(lines), len(book.pools), len(CHAIN_TERMS))
    less = result.pools.chain_terms[pool] - terms[np.arange(len(lines)), pool]
    for term, (name, factor) in enumerate(zip(CHAIN_TERMS, factors, strict=True)):
        for at, line in enumerate(lines.tolist()):
            yield ChainTermShare(
                pool=book.pools[pool[at]],
                term=name,
                kind="holding",
                name=book.table.ids[book.holdings.instrument[line]],
                share_usd=factor * float(shares[line, term]),
                marginal_usd=factor * float(less[at, term]),
            )


def _of_bridges(result: MarginResult, risk: ChainRisk, lost: FloatArray) -> Iterator[ChainTermShare]:
    book, factor = result.book, chain_factors(result.plan.model)[BRIDGE].initial
    bridges = sorted({name for names in risk.pairs for name in names})
    parts, spared = _fails_by(result, risk), _spared(result, risk, bridges)
    for bridge in bridges:
        less = result.pools.chain_terms[:, BRIDGE] - spared[bridge]
        has = tally(book.holdings.owner, parts[bridge] * lost, len(book.pools))
        for pool, name in enumerate(book.pools):
            yield ChainTermShare(
                pool=name,
                term=CHAIN_TERMS[BRIDGE],
                kind="bridge",
                name=bridge,
                share_usd=factor * float(has[pool]),
                marginal_usd=factor * float(less[pool]),
            )


def _fails_by(result: MarginResult, risk: ChainRisk) -> dict[str, FloatArray]:
    """The part that each bridge has in what a holding loses [holding]: one over those of its pool's pair behind it."""
    book, tokens = result.book, result.plan.tokens
    assert tokens is not None, "a market with chains knows its tokens"
    pair = worst_pairs(held_of(book.holdings, result.held), risk, len(book.pools))
    failing = np.asarray([[b in risk.pairs[p] if p >= 0 else False for b in tokens.bridges] for p in pair], np.bool_)
    both = tokens.behind[book.holdings.instrument] & failing.reshape(len(pair), -1)[book.holdings.owner]
    parts = both / np.maximum(both.sum(axis=1, keepdims=True), 1)
    return {bridge: parts[:, at] for at, bridge in enumerate(tokens.bridges)}


def _spared(result: MarginResult, risk: ChainRisk, bridges: Sequence[str]) -> dict[str, FloatArray]:
    """The term `bridge` of each pool by the one that cannot fail [pool], USD before its factor."""
    book, ready, figures, chains = result.book, result.plan, result.pools, result.plan.snapshot.chains
    assert chains is not None, "bridges are those of the market's chains"
    worth = figures.held_equity - figures.position_value + position_worth(book, ready.terms)
    inside = inside_scenarios(book, ready)
    contained = contained_failures(book, ready, result.groups, result.held, worth, inside, figures.wrong_way)
    terms = {}
    for bridge in bridges:
        failure, pairs = bridge_failures(book.table, chains, ready.model.chains.bridge_loss, spared=bridge)
        calm = replace(ready, chain_risk=replace(risk, failure=failure, pairs=pairs))
        terms[bridge] = chain_terms_of(book, calm, result.groups, result.held, worth, contained)[:, BRIDGE]
    return terms
