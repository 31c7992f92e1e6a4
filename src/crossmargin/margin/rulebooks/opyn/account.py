"""A Crossmargin account as Gamma vaults: shorts paired with longs, or naked, whichever holds least."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from crossmargin.core.instant import SECOND_NS
from crossmargin.margin.rulebooks.answers import summed
from crossmargin.margin.rulebooks.holdings import cash_usd, read_holdings
from crossmargin.margin.rulebooks.integers import units_down, units_up
from crossmargin.margin.rulebooks.matching import Pair, cheapest_pairs
from crossmargin.margin.rulebooks.opyn.fixed_point import ONE, TOKEN
from crossmargin.margin.rulebooks.opyn.gamma import DAY_S, Parameters, Vault, margin_of
from crossmargin.margin.rulebooks.rulebook import Rulebook, RuleResult, RuleTerm
from crossmargin.margin.rulebooks.short_options import ListedOption, read_options
from crossmargin.market.snapshot import Snapshot
from crossmargin.portfolio.book import Book

_DECIMALS = 8  # of a book's sizes and prices, in the units of option tokens


@dataclass(frozen=True, slots=True)
class _Series:
    """All positions of one coin, type and expiry; tokens signed."""

    coin: str
    options: tuple[ListedOption, ...]
    seconds: int

    @property
    def tokens(self) -> list[int]:
        return [
            units_up(o.quantity, -_DECIMALS) if o.quantity < 0.0 else units_down(o.quantity, -_DECIMALS)
            for o in self.options
        ]


def vaults_of(
    series: Sequence[ListedOption], tokens: Sequence[int], seconds: int, parameters: Parameters
) -> list[Vault]:
    """The vaults that together hold least for options of one coin, type and expiry; `tokens` signed.

    Each short is naked, full, or full with a long of another strike; which long goes with which short is found exactly.
    Beyond the last tenor no vault may be naked.
    """
    alone = [_vault(o, TOKEN, seconds, parameters) for o in series]
    costs = [_cost(v, parameters) if n < 0 else 0.0 for v, n in zip(alone, tokens, strict=True)]
    shorts, longs = ([i for i, n in enumerate(tokens) if n * sign > 0] for sign in (-1, 1))
    pairs = [
        Pair(first=i, second=j, cost=_cost(_spread(series[i], series[j], TOKEN, seconds), parameters))
        for i in shorts
        for j in longs
    ]
    left, made = cheapest_pairs([abs(n) for n in tokens], costs, pairs)
    spreads = [_spread(series[p.first], series[p.second], n, seconds) for p, n in zip(pairs, made, strict=False) if n]
    return spreads + [_vault(series[i], left[i], seconds, parameters) for i in shorts if left[i]]


def _vault(option: ListedOption, tokens: int, seconds: int, parameters: Parameters) -> Vault:
    """The cheaper of a naked and a full vault of one short."""
    strike, spot = _price(option.strike), _price(option.index)
    full = Vault(
        kind="full", right=option.right, short=tokens, short_strike=strike, seconds_to_expiry=seconds, spot=spot
    )
    if seconds > parameters.tenors[-1].days * DAY_S:
        return full
    naked = Vault(
        kind="naked", right=option.right, short=tokens, short_strike=strike, seconds_to_expiry=seconds, spot=spot
    )
    return min((naked, full), key=lambda v: margin_of(v, parameters).required)


def _spread(short: ListedOption, long: ListedOption, tokens: int, seconds: int) -> Vault:
    strike, other, spot = _price(short.strike), _price(long.strike), _price(short.index)
    return Vault(
        kind="full",
        right=short.right,
        short=tokens,
        short_strike=strike,
        seconds_to_expiry=seconds,
        spot=spot,
        long=tokens,
        long_strike=other,
    )


def _price(price: float) -> int:
    """As the oracle states it; one unit at least, since a price of zero has no vault."""
    return max(int(Decimal(repr(price)).scaleb(_DECIMALS).to_integral_value()), 1)


def _cost(vault: Vault, parameters: Parameters) -> float:
    return margin_of(vault, parameters).required / vault.short


def evaluate(book: Book, snapshot: Snapshot, parameters: Parameters) -> RuleResult:
    """The vaults of a book of one account, USD; options of any venue on a listed coin count by their size in coins.

    Raises `InvalidInput` for more than one account, `MissingFactors` where the market lacks a price.
    """
    held = read_holdings(book, snapshot, families=(), where=RULEBOOK.id)
    options = read_options(book, snapshot, coins=parameters.coins, inverse=True)
    terms = [
        _term(s, vaults_of(s.options, s.tokens, s.seconds, parameters), snapshot, parameters)
        for coin, rows in options.options.items()
        for s in _series(coin, rows, book, snapshot)
    ]
    cash, left_out = cash_usd(held, (parameters.strike_asset, *parameters.coins))
    orders = [f"order {o.instrument}" for rows in options.options.values() for o in rows if o.buys or o.sells]
    positions = (r for r in held.refused if r.removeprefix("order ") not in options.names)
    return summed(
        RULEBOOK.id,
        parameters.date,
        terms,
        cash,
        certainty="approximate",
        notes=(*held.notes, "the values of the product may have been changed by its governance since"),
        refused=(*positions, *orders, *left_out),
    )


def _series(coin: str, options: Iterable[ListedOption], book: Book, snapshot: Snapshot) -> Iterable[_Series]:
    row = book.table.row

    def key(option: ListedOption) -> tuple[str, int]:
        return option.right, int(book.table.expiry_ns[row[option.instrument]])

    for (_, expiry), rows in groupby(sorted(options, key=key), key=key):
        seconds = max(-(-(expiry - snapshot.time_ns) // SECOND_NS), 1)
        yield _Series(coin, tuple(rows), seconds)


def _term(series: _Series, vaults: Sequence[Vault], snapshot: Snapshot, parameters: Parameters) -> RuleTerm:
    put = series.options[0].right == "put"
    usd = snapshot.asset_price(parameters.strike_asset) if put else snapshot.usd_price(series.coin)
    held = math.fsum(margin_of(v, parameters).required / ONE for v in vaults) * usd
    kinds = [("naked" if v.kind == "naked" else "spread" if v.long else "full") for v in vaults]
    return RuleTerm(
        name=f"{series.coin} {series.options[0].right}s, {series.seconds / DAY_S:.4g} days",
        initial=held,
        maintenance=held,
        note=", ".join(f"{kinds.count(kind)} {kind}" for kind in ("naked", "full", "spread") if kind in kinds),
    )


RULEBOOK = Rulebook(
    id="opyn-gamma",
    name="Opyn Gamma vaults",
    family="strategy",
    products="European options on ETH, sold from vaults",
    method="greatest loss of a spread, or loss after a shock plus a bound by tenor; best pairing into vaults",
    formulas=(
        "naked put: q (A min(K, x S) + max(K - x S, 0)), USDC\n"
        "naked call: q (A min(1, x K/S) + max(1 - x K/S, 0)), coins\n"
        "put spread: max(q K - K' min(q, q'), 0); call spread: max((K' - K) q/K', q - q', 0)"
    ),
    sources=("opynfinance/GammaProtocol @ 841f81d9, contracts/core/MarginCalculator.sol",),
    certainty="approximate",
    parameters=Parameters,
    folder="opyn",
    evaluate=evaluate,
    open_parts=("values of spot shock and tenors for each product, which its governance sets",),
    venues=("OPYN",),
)
