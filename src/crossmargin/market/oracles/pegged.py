"""What a pegged or wrapped asset is worth: what it redeems for while that is verifiable, else the lower of that and the
market.

A fixed peg is blind to insolvency; a single venue is blind to everything but itself. On 10 October 2025 one venue
priced USDe at 0.65 and wBETH at 12 % of ether while all others held 0.97 and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from crossmargin.core import check
from crossmargin.market.oracles.document import PegRules
from crossmargin.market.oracles.median import weighted_median
from crossmargin.market.oracles.quotes import Quote

Rule: TypeAlias = Literal["redemption", "lower"]
ALONE: Final = 0.5  # of the deviation: a venue that carries more than all others together stands alone


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueMarket:
    """The price over venues: `price` the liquidity-weighted median of those that count, `left_out` the one that stands
    alone (empty if none does)."""

    price: float
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeggedValue:
    """The value of one token in units of what it is pegged to, `rule` how it was found, `deviation` market / fund −
    1."""

    value: float
    fund: float
    market: VenueMarket | None
    backing: float
    rule: Rule
    deviation: float | None
    reasons: tuple[str, ...]


def venue_market(quotes: Sequence[Quote], *, fund: float) -> VenueMarket | None:
    """The market price of quotes that passed their gates; none without one.

    Venues of one family are one, with their liquidity together. A family that alone carries more than half of Σ |price
    − fund| is left out where at least two others remain; of two, nobody can say which is wrong. A real depeg is seen by
    all, and loses at most its farthest venue."""
    families = _by_family(quotes)
    if not families:
        return None
    off = {family: abs(price - fund) for family, (price, _) in families.items()}
    total = sum(off.values())
    alone = [family for family in sorted(off) if len(off) > 2 and off[family] > ALONE * total]
    left_out = alone[0] if alone else ""
    kept = [held for family, held in families.items() if family != left_out]
    return VenueMarket(price=weighted_median([p for p, _ in kept], [w for _, w in kept]), left_out=left_out)


def pegged_value(
    *,
    fund: float,
    venues: Sequence[Quote],
    backing: float,
    redemption_open: bool,
    proofs_fresh: bool,
    rules: PegRules,
) -> PeggedValue:
    """fund · backing while redemption is verified open, proofs are fresh and the market is inside the STRESS band; else
    min(fund, market) · backing.

    `fund` is the redemption rate under its cap (`rates.capped_rate`), `backing` the proven reserves over the supply, of
    which more than 1 adds nothing. Without a market price, fund · backing stands only if redemption is open and proved;
    else there is nothing to go by, and the value is 0. Raises `InvalidInput` for a fund that is not positive or a
    backing that is not a number from 0 on."""
    check.positive(fund, "fund", where="pegged asset")
    share = min(check.within(backing, "backing", 0.0, 1e9, where="pegged asset"), 1.0)
    market = venue_market(venues, fund=fund)
    deviation = None if market is None else market.price / fund - 1.0
    reasons = [
        said
        for wrong, said in (
            (not redemption_open, "redemption is not verified open"),
            (not proofs_fresh, "proofs of reserve and supply are stale"),
            (deviation is not None and abs(deviation) * 1e4 > rules.stress.deviation_bps, "the market is off its peg"),
        )
        if wrong
    ]
    rule: Rule = "lower" if reasons else "redemption"
    if not reasons:
        price = fund
    elif market is None:
        price = 0.0
        reasons.append("no venue has a price")
    else:
        price = min(fund, market.price)
    if market is not None and market.left_out:
        reasons.append(f"{market.left_out} stands alone and is left out")
    return PeggedValue(
        value=price * share,
        fund=fund,
        market=market,
        backing=share,
        rule=rule,
        deviation=deviation,
        reasons=tuple(reasons),
    )


def _by_family(quotes: Sequence[Quote]) -> Mapping[str, tuple[float, float]]:
    """Price (median over its venues by liquidity) and liquidity of each family; one without liquidity has no say."""
    grouped: dict[str, list[Quote]] = {}
    for quote in quotes:
        if quote.feed.liquidity_usd > 0.0:
            grouped.setdefault(quote.feed.family, []).append(quote)
    return {
        family: (
            weighted_median([q.price for q in said], [q.feed.liquidity_usd for q in said]),
            sum(q.feed.liquidity_usd for q in said),
        )
        for family, said in sorted(grouped.items())
    }
