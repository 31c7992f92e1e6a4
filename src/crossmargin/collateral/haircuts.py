"""What collateral counts for: lo-price × (1 − haircut by size), then caps by asset, chain and issuer.

Where the market states chains, tokens go through further steps (`recognising`) in between. All sizes and caps are those
of one pool. Each step can only lower what counts, and says by how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from crossmargin.collateral.document import Collateral, HaircutTier, TokenHaircuts
from crossmargin.collateral.recognising import (
    Steps,
    bridge_caps,
    own_price,
    pending_credits,
    registry_caps,
    token_haircuts,
)
from crossmargin.collateral.tokens import Reason, Tokens
from crossmargin.core import check
from crossmargin.core.arrays import BoolArray, FloatArray, IndexArray, frozen, tally
from crossmargin.core.errors import InvalidInput
from crossmargin.instruments.table import InstrumentTable
from crossmargin.market.snapshot import USD, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recognised:
    """Per holding, USD: `gross` at the mid price of its asset, `haircut` and `capped` taken off, `recognised` what
    counts.

    recognised = gross − haircut − capped. A debt (negative amount) is valued at the high price with its markup. All
    that is taken off is also `price` + `peg` + `backing` + `finality` + `liquidity`; of it `pending` counts once it is
    final and `refused` is not accepted at all. `reason` are bits of `tokens.Reason`. `own_value` is at the own price
    of the token.
    """

    gross: FloatArray
    haircut: FloatArray
    capped: FloatArray
    recognised: FloatArray
    price: FloatArray
    peg: FloatArray
    backing: FloatArray
    finality: FloatArray
    liquidity: FloatArray
    pending: FloatArray
    refused: FloatArray
    own_value: FloatArray
    reason: IndexArray


def recognise(
    table: InstrumentTable,
    snapshot: Snapshot,
    rules: Collateral,
    *,
    pool: IndexArray,
    instrument: IndexArray,
    amount: FloatArray,
    by_rule: BoolArray,
    known: Tokens | None = None,
    other: FloatArray | None = None,
) -> Recognised:
    """Value the holdings of many pools: `pool`, `instrument` (a spot row of `table`) and `amount` by holding.

    `by_rule` [holding] is false where the holding's price risk is inside the scenarios: then no haircut is taken
    (caps and the oracle's confidence still are). `known` are the tokens of the table where the market states chains,
    and `other` [pool] what stands in each pool's equity beside collateral. Debts count at any level, as soon as they
    are seen, and at the price of the asset, never at the lower one of a token. Raises `UnknownName` for an asset
    without haircuts.
    """
    asset = table.settle[instrument]
    price = np.asarray([snapshot.asset_price(a) for a in table.assets] or [0.0])[asset]
    width = np.asarray([snapshot.assets[a].confidence if a != USD else 0.0 for a in table.assets] or [0.0])[asset]
    gross = amount * price
    debt = np.minimum(gross, 0.0) * (1.0 + width) * (1.0 + rules.debt_markup)
    key = pool.astype(np.int64) * max(len(table.assets), 1) + asset
    if known is not None:
        steps = own_price(np.maximum(gross, 0.0), known, instrument)
        own_value = steps.value
        sized = own_value * (1.0 - width)
        kept = 1.0 - np.where(by_rule, _haircut(sized, key, asset, table, rules), 0.0)
        steps.value = sized * kept
        lost = own_value - steps.value
        token_haircuts(steps, kept, by_rule, known, instrument, rules.tokens)
        registry_caps(steps, pool, known, instrument, rules.tokens)
        pending_credits(steps, pool, known, instrument, rules.tokens)
        capped = steps.value * _caps(steps.value, pool, asset, table.chain[instrument], table, snapshot, rules)
        steps.take(capped, "liquidity", refused=True, why=Reason.CAP)
        rest = tally(pool, debt, 0 if other is None else len(other)) + (0.0 if other is None else other)
        bridge_caps(steps, pool, known, instrument, rest, rules.caps.bridge)
        return _assembled(gross, debt, own_value, lost, steps)
    held = np.maximum(gross, 0.0) * (1.0 - width)
    counted = held * (1.0 - np.where(by_rule, _haircut(held, key, asset, table, rules), 0.0))
    recognised = counted * _caps(counted, pool, asset, table.chain[instrument], table, snapshot, rules)
    return _plain(gross, counted, debt, recognised)


def larger(one: Recognised, other: Recognised, pool: IndexArray, pools: int) -> Recognised:
    """`one`, and `other` in its place for each pool of which that counts more in all.

    More of one holding may leave less of others under a cap, so that holdings by themselves have no order.
    """
    more = tally(pool, one.recognised, pools) >= tally(pool, other.recognised, pools)
    columns = {}
    for name in Recognised.__dataclass_fields__:
        first, second = getattr(one, name), getattr(other, name)
        columns[name] = frozen(np.where(more[pool], first, second), first.dtype)
    return Recognised(**columns)


def _plain(gross: FloatArray, counted: FloatArray, debt: FloatArray, recognised: FloatArray) -> Recognised:
    """The columns of holdings without chains: all that haircuts take is price, all that caps take liquidity."""
    taken, capped, none = frozen(gross - counted - debt), frozen(counted - recognised), frozen(np.zeros(len(gross)))
    return Recognised(
        gross=frozen(gross),
        haircut=taken,
        capped=capped,
        recognised=frozen(recognised + debt),
        price=taken,
        peg=none,
        backing=none,
        finality=none,
        liquidity=capped,
        pending=none,
        refused=capped,
        own_value=frozen(np.maximum(gross, 0.0)),
        reason=frozen(np.zeros(len(gross)), np.int32),
    )


def _assembled(
    gross: FloatArray, debt: FloatArray, own_value: FloatArray, lost: FloatArray, steps: Steps
) -> Recognised:
    """The columns of holdings that went through all steps; `lost` [holding] is what price and size took off."""
    recognised, liquidity = steps.value + debt, steps.taken["liquidity"]
    price = lost + np.minimum(gross, 0.0) - debt
    return Recognised(
        gross=frozen(gross),
        haircut=frozen(gross - recognised - liquidity),
        capped=frozen(liquidity),
        recognised=frozen(recognised),
        price=frozen(price),
        peg=frozen(steps.taken["peg"]),
        backing=frozen(steps.taken["backing"]),
        finality=frozen(steps.taken["finality"]),
        liquidity=frozen(liquidity),
        pending=frozen(steps.pending),
        refused=frozen(steps.refused),
        own_value=frozen(own_value),
        reason=frozen(np.where(gross > 0.0, steps.reason, 0), np.int32),
    )


def _haircut(
    held: FloatArray, key: IndexArray, asset: IndexArray, table: InstrumentTable, rules: Collateral
) -> FloatArray:
    """The haircut of each holding: that of the pool's whole stock of the asset, over all chains."""
    found, index = np.unique(key, return_inverse=True)
    index = index.reshape(-1)
    total = tally(index, held, len(found))
    rate = np.zeros(len(found))
    for code in np.unique(asset):
        name = table.assets[code]
        check.known(
            name,
            rules.haircuts,
            "asset held as collateral",
            where="model collateral.haircuts",
            remedy="Add its haircuts to the model, or do not count it as collateral.",
        )
        mine = found % max(len(table.assets), 1) == code
        rate[mine] = effective_haircut(total[mine], rules.haircuts[name])
    return rate[index]


def effective_haircut(value_usd: FloatArray, tiers: tuple[HaircutTier, ...]) -> FloatArray:
    """The average haircut of stocks of an asset [stock]: each tier's rate on the part of the value in it."""
    cap = np.asarray([*(t.value_cap for t in tiers[:-1]), np.inf])
    floor = np.concatenate([[0.0], cap[:-1]])
    part = np.clip(value_usd[:, None], floor, cap) - floor
    taken = (part * np.asarray([t.haircut for t in tiers])).sum(axis=1)
    return np.asarray(np.where(value_usd > 0.0, taken / np.where(value_usd > 0.0, value_usd, 1.0), tiers[0].haircut))


def _caps(
    counted: FloatArray,
    pool: IndexArray,
    asset: IndexArray,
    chain: IndexArray,
    table: InstrumentTable,
    snapshot: Snapshot,
    rules: Collateral,
) -> FloatArray:
    """The share of each holding that its caps leave: asset, then chain, then issuer, each pro rata."""
    issuer_of = [snapshot.assets[a].issuer if a != USD else "" for a in table.assets]
    issuers = sorted(set(issuer_of))
    issuer = np.asarray([issuers.index(name) for name in issuer_of] or [0])[asset]
    left = np.ones(len(counted))
    for codes, names, caps in (
        (asset, table.assets, rules.caps.asset),
        (chain, table.chains, rules.caps.chain),
        (issuer, issuers, rules.caps.issuer),
    ):
        left = left * _cap_share(counted * left, pool, codes, names, caps)
    return left


def _cap_share(
    counted: FloatArray,
    pool: IndexArray,
    codes: IndexArray,
    names: tuple[str, ...] | list[str],
    caps: Mapping[str, float],
) -> FloatArray:
    limit = np.asarray([*(caps.get(name, np.inf) for name in names), np.inf])  # the last is for code −1: none
    if not len(counted) or not np.isfinite(limit).any():
        return np.ones(len(counted))
    key = pool.astype(np.int64) * len(limit) + codes % len(limit)
    found, index = np.unique(key, return_inverse=True)
    total, most = tally(index.reshape(-1), counted, len(found)), limit[found % len(limit)]
    share = np.divide(most, total, where=total > most, out=np.ones(len(found)))
    return np.asarray(share[index.reshape(-1)])


def check_rules(rules: Collateral, *, where: str) -> None:
    """Raise `InvalidInput` for haircuts outside [0, 1], caps below zero, or tiers that do not rise."""
    check.within(rules.debt_markup, "debt markup", 0.0, 1.0, where=where)
    for asset, tiers in rules.haircuts.items():
        place = f"{where}.haircuts.{asset}"
        if not tiers:
            raise InvalidInput("tiers", where=place, value=0, limit="at least one", remedy="Give a cap and a haircut.")
        for tier, after in pairwise(tiers):
            if not (tier.value_cap < after.value_cap and tier.haircut <= after.haircut):
                raise InvalidInput(
                    "tiers",
                    where=place,
                    value=(after.value_cap, after.haircut),
                    limit="rising caps and haircuts that do not fall with size",
                    remedy="Sort the tiers by cap.",
                )
        for tier in tiers:
            check.within(tier.haircut, "haircut", 0.0, 1.0, where=place)
            check.positive(tier.value_cap, "value cap", where=place)
    _check_tokens(rules.tokens, f"{where}.tokens")
    for kind in ("asset", "issuer", "chain", "bridge"):
        for name, cap in getattr(rules.caps, kind).items():
            check.within(cap, f"cap of {name}", 0.0, np.finfo(float).max, where=f"{where}.caps.{kind}")


def _check_tokens(rules: TokenHaircuts, where: str) -> None:
    check.within(rules.stress_factor, "stress factor", 1.0, 1e3, where=where)
    rising = (
        ("issuer_bridge", "three_verifiers", "two_verifiers"),
        ("lost_safe", "lost_included", "lost_seen"),
    )
    for names, most in (*((names, 1.0) for names in rising), (("unproved_cap_usd", "unanchored_cap_usd"), 1e15)):
        floor = 0.0
        for name in names:
            floor = check.within(getattr(rules, name), name, floor, most, where=where)
    check.within(rules.fast_share, "fast share", 0.0, 1.0, where=where)
