"""A Crossmargin account as Panoptic positions: legs alone, in spreads or in strangles, whichever ask for least."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import cash_usd, read_holdings
from crossmargin.margin.rulebooks.integers import units_down, units_up
from crossmargin.margin.rulebooks.matching import Pair, cheapest_pairs
from crossmargin.margin.rulebooks.panoptic.collateral import (
    Collateral,
    Leg,
    Parameters,
    Partner,
    Position,
    long_leg,
    margin_of,
    short_leg,
    spread_loss,
)
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.short_options import ListedOption, read_options
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_EXPONENT = -8  # of a book's sizes: the units in which legs are paired


def positions_of(legs: Sequence[Leg], price: float, parameters: Parameters) -> Iterator[Position]:
    """The positions that together ask for least; a pair joins a short put or a long call to one of the other two."""
    amounts = [units_up(x.size, _EXPONENT) if x.size < 0.0 else units_down(x.size, _EXPONENT) for x in legs]
    unit = 10.0**_EXPONENT
    sized = [_sized(leg, math.copysign(1.0, leg.size)) for leg in legs]
    alone = [_value(margin_of(Position(legs=(leg,)), price, parameters), price) for leg in sized]
    pairs = [*_spreads(sized, price, parameters), *_strangles(sized, price, parameters)]
    left, made = cheapest_pairs([abs(n) for n in amounts], alone, pairs)
    for leg, n in zip(sized, left, strict=True):
        if n:
            yield Position(legs=(_sized(leg, leg.size * n * unit),))
    for pair, n in zip(pairs, made, strict=False):
        if n:
            first, second = sized[pair.first], sized[pair.second]
            partner: Partner = "spread" if first.right == second.right else "strangle"
            yield Position(legs=tuple(_sized(x, x.size * n * unit) for x in (first, second)), partner=partner)


def _sized(leg: Leg, size: float) -> Leg:
    return Leg(right=leg.right, strike=leg.strike, size=size, utilisation=leg.utilisation)


def _spreads(legs: Sequence[Leg], price: float, parameters: Parameters) -> Iterator[Pair]:
    """Each short with each long of its type, at what `margin_of` asks for one of both: pairs are too many to build."""
    for right, scale in (("put", 1.0), ("call", price)):
        shorts, longs = _sides(legs, right)
        for j in longs:
            least = long_leg(legs[j], parameters)
            for i in shorts:
                yield Pair(first=i, second=j, cost=max(spread_loss(legs[i], legs[j]), least) * scale)


def _strangles(legs: Sequence[Leg], price: float, parameters: Parameters) -> Iterator[Pair]:
    """Each short put with each short call, likewise."""
    (puts, _), (calls, _) = _sides(legs, "put"), _sides(legs, "call")
    asked = {i: short_leg(legs[i], price, parameters, strangle=True) for i in (*puts, *calls)}
    return (Pair(first=i, second=j, cost=asked[i] + asked[j] * price) for i in puts for j in calls)


def _sides(legs: Sequence[Leg], right: str) -> tuple[list[int], list[int]]:
    """Short and long legs of a type; one of no size is neither."""
    of = [i for i, leg in enumerate(legs) if leg.right == right]
    return [i for i in of if legs[i].size < 0.0], [i for i in of if legs[i].size > 0.0]


def _value(collateral: Collateral, price: float) -> float:
    return collateral.numeraire + collateral.coins * price


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The positions of a book of one account, USD; a dated option is read as a perpetual one at its strike.

    Raises `InvalidInput` for more than one account, `MissingFactors` where the market lacks a price.
    """
    held = read_holdings(book, snapshot, families=(), where=RULEBOOK.id)
    options = read_options(book, snapshot, coins=parameters.coins, inverse=True)
    terms = [_term(coin, rows, snapshot, parameters) for coin, rows in options.options.items()]
    cash, left_out = cash_usd(held, (parameters.numeraire, *parameters.coins))
    orders = [f"order {o.instrument}" for rows in options.options.values() for o in rows if o.buys or o.sells]
    positions = (r for r in held.refused if r.removeprefix("order ") not in options.names)
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        cash,
        certainty="approximate",
        notes=(
            *held.notes,
            "dated options are read as perpetual ones at their strikes",
            _use_note(parameters),
        ),
        refused=(*positions, *orders, *left_out),
    )


def _use_note(parameters: Parameters) -> str:
    short, long = parameters.book_utilisation_short, parameters.book_utilisation_long
    return f"pools in use: {short:.0%} for shorts, {long:.0%} for longs, the readings that ask for most"


def _term(coin: str, options: Iterable[ListedOption], snapshot: Snapshot, parameters: Parameters) -> RuleTerm:
    price = snapshot.usd_price(coin) / snapshot.asset_price(parameters.numeraire)
    legs = [
        Leg(
            right=o.right,
            strike=o.strike,
            size=o.quantity,
            utilisation=parameters.book_utilisation_short if o.quantity < 0.0 else parameters.book_utilisation_long,
        )
        for o in options
        if o.quantity
    ]
    found = tuple(positions_of(legs, price, parameters))
    asked = math.fsum(_value(margin_of(p, price, parameters), price) for p in found)
    asked *= snapshot.asset_price(parameters.numeraire)
    kinds = [{"none": "single leg"}.get(p.partner, p.partner) for p in found]
    note = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("single leg", "spread", "strangle") if kind in kinds)
    return RuleTerm(name=f"options {coin}", initial=asked, maintenance=asked, certainty="approximate", note=note)


RULEBOOK = Rulebook(
    id="panoptic-v1",
    name="Panoptic v1",
    family="strategy",
    products="perpetual options on pools of BTC and ETH against USDC",
    method="a ratio of each leg by the use of its pool; spreads and strangles share risk, best pairing",
    formulas=(
        "short: amount (ratio + 1 - S/K in the money, call 1 - K/S)\n"
        "ratio 20 % to half use, then linear to 100 % at 90 %\n"
        "long: amount 10 %, falling to 5 %; spread: max(greatest loss, long leg); strangle: half the ratio on each leg"
    ),
    sources=("Panoptic v1, documentation of collateral requirements",),
    certainty="approximate",
    parameters=Parameters,
    folder="panoptic",
    evaluate=evaluate,
    open_parts=(
        "how much of a pool is in use: the readings that ask for most are parameters",
        "whether a strangle halves the ratio, or its value in a pool that is used little: a parameter",
        "premia that accrue, and the width of a position's range",
    ),
    venues=("PANOPTIC",),
)
