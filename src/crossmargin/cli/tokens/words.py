"""Rows and sentences on tokens, the same for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crossmargin.cli.wording import Column, chain_name, percent, price, quantity, trimmed, usd
from crossmargin.engine.reports import AccountReport, CollateralLine, Share
from crossmargin.engine.token_reports import ChainTermShare, Standing, StandingKind, TokenLine

ASKED: Final = (Column("token", words=True), Column("initial, with − without"))
ASKED_TITLE: Final = "What each token on a chain adds to the requirement, USD"
SHARED: Final = (
    Column("term", words=True),
    Column("holding or bridge", words=True),
    Column("share"),
    Column("with − without"),
)
SHARED_TITLE: Final = "Who the terms of chains are for, USD of initial margin"
SHARED_NOTE: Final = (
    "Shares of holdings add up to each term, and so do those of bridges to the term bridge: each has what it loses, "
    "waits or costs in the case that sets the term. With − without does not add up: without one bridge another fails."
)
COUNTED: Final = (
    Column("token", words=True),
    Column("level", words=True),
    Column("own price"),
    Column("gross USD"),
    Column("price"),
    Column("peg"),
    Column("backing"),
    Column("finality"),
    Column("liquidity"),
    Column("recognised"),
    Column("pending"),
    Column("refused"),
)
WAYS: Final = (
    Column("token", words=True),
    Column("to", words=True),
    Column("route", words=True),
    Column("counts USD"),
    Column("cost USD"),
    Column("usually"),
    Column("slow (p95)"),
    Column("in time", words=True),
)
STANDINGS: Final = (
    Column("", words=True),
    Column("gross USD"),
    Column("recognised"),
    Column("pending"),
    Column("refused"),
    Column("share of what counts"),
)
STOCKS: Final = (
    Column("token", words=True),
    Column("gross USD"),
    Column("recognised"),
    Column("pending"),
    Column("refused"),
    Column("cap of one pool"),
    Column("of it, all pools"),
)
STOCKS_TITLE: Final = "Tokens of all accounts, and what the registry lets one pool count, USD"
KINDS: Final[tuple[tuple[StandingKind, str], ...]] = (
    ("asset", "by asset"),
    ("chain", "by chain"),
    ("bridge", "by bridge"),
)
_ADDRESS_SHOWN: Final = 10
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0


def tokens_held(account: AccountReport) -> tuple[tuple[CollateralLine, TokenLine], ...]:
    """The holdings of an account that name their instance, the largest first."""
    lines = [(c, c.token) for pool in account.pools for c in pool.collateral if c.token is not None]
    return tuple(sorted(lines, key=lambda pair: -abs(pair[0].gross_usd)))


def token_name(line: CollateralLine, token: TokenLine) -> str:
    """An asset, its chain, and the bridges behind it, or the beginning of its address."""
    over = f" over {', '.join(token.bridges)}" if token.bridges else ""
    return f"{line.asset} on {chain_name(line.chain)}{over} {_short(token.instance)}".rstrip()


def _short(instance: str) -> str:
    """The beginning of the address of a token."""
    reference = instance.rpartition(":")[2]
    return f"{reference[:_ADDRESS_SHOWN]}…" if len(reference) > _ADDRESS_SHOWN else ""


def counted_row(line: CollateralLine, token: TokenLine) -> list[str]:
    """What was taken off a holding, part by part."""
    figures = (
        line.gross_usd,
        token.price_haircut_usd,
        token.peg_usd,
        token.backing_usd,
        token.finality_usd,
        token.liquidity_usd,
        line.recognised_usd,
        token.pending_usd,
        token.refused_usd,
    )
    return [token_name(line, token), f"{token.level}, {token.trust}", price(token.price_usd), *map(usd, figures)]


def counted_total(held: Sequence[tuple[CollateralLine, TokenLine]]) -> list[str]:
    """The sums of `counted_row`."""
    rows = [
        (
            c.gross_usd,
            t.price_haircut_usd,
            t.peg_usd,
            t.backing_usd,
            t.finality_usd,
            t.liquidity_usd,
            c.recognised_usd,
            t.pending_usd,
            t.refused_usd,
        )
        for c, t in held
    ]
    return ["total", "", "", *(usd(sum(column)) for column in zip(*rows, strict=True))]


def why(line: CollateralLine, token: TokenLine) -> str:
    """Why a holding counts for less than it is worth; empty where it does not.

    Reasons stand in the order in which they act.
    """
    if not token.reasons:
        return ""
    what = f"{quantity(line.amount)} {token_name(line, token)}"
    stands = line.held_usd > line.recognised_usd
    more = f" Behind risk taken before it counts for {usd(line.held_usd)} USD." if stands else ""
    return f"{what}: {'; '.join(token.reasons)}.{more}"


def way_row(line: CollateralLine, token: TokenLine) -> list[str]:
    """How a token gets to where it is needed; empty where it is there."""
    way = token.transfer
    if way is None:
        return []
    times = (seconds(way.p50_s), seconds(way.p95_s))
    return [
        token_name(line, token),
        chain_name(way.to),
        way.route or "none is open",
        usd(max(line.recognised_usd, 0.0)),
        usd(way.cost_usd),
        *times,
        "yes" if way.in_time else "no",
    ]


def standing_rows(standings: Sequence[Standing], kind: StandingKind) -> list[list[str]]:
    """What is held by asset, chain or bridge."""
    whole = sum(s.recognised_usd for s in standings if s.kind == "asset")
    return [_standing_row(s, whole) for s in standings if s.kind == kind]


def stock_rows(standings: Sequence[Standing]) -> list[list[str]]:
    """What all accounts hold of each token, beside its cap."""
    return [_stock_row(s, s.cap_usd) for s in standings if s.kind == "token" and s.cap_usd is not None]


def _stock_row(s: Standing, cap_usd: float) -> list[str]:
    figures = (s.gross_usd, s.recognised_usd, s.pending_usd, s.refused_usd, cap_usd)
    used = percent(s.recognised_usd / cap_usd) if cap_usd > 0.0 else ""
    return [f"{s.asset} on {chain_name(s.name.partition('/')[0])} {_short(s.name)}".rstrip(), *map(usd, figures), used]


def _standing_row(s: Standing, whole: float) -> list[str]:
    name = chain_name(s.name) or "off-chain" if s.kind == "chain" else s.name
    figures = (s.gross_usd, s.recognised_usd, s.pending_usd, s.refused_usd)
    return [name, *map(usd, figures), percent(s.recognised_usd / whole) if whole > 0.0 else ""]


def asked_rows(shares: Sequence[Share]) -> list[list[str]]:
    """The margin with each token minus without it; what spares margin is below zero."""
    return [[share.name, usd(share.marginal_usd)] for share in shares]


def shared_rows(shares: Sequence[ChainTermShare]) -> list[list[str]]:
    """What each holding and each bridge has in the terms of chains, the largest of a term first."""
    terms, pools = list(dict.fromkeys(s.term for s in shares)), {s.pool for s in shares}
    rows = sorted(shares, key=lambda s: (terms.index(s.term), s.kind, -s.share_usd))
    return [[s.term, _holder(s, many=len(pools) > 1), usd(s.share_usd), usd(s.marginal_usd)] for s in rows]


def _holder(share: ChainTermShare, *, many: bool) -> str:
    name = f"bridge {share.name}" if share.kind == "bridge" else share.name
    return f"{name} in {share.pool}" if many else name


def seconds(time_s: float) -> str:
    """A time in the unit that says it best.

    >>> seconds(8.0), seconds(1140.0), seconds(5400.0), seconds(604800.0)
    ('8 s', '19 min', '1.5 h', '7 d')
    """
    for unit, size in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if time_s >= size:
            return f"{trimmed(f'{time_s / size:.1f}')} {unit}"
    return f"{trimmed(f'{time_s:.1f}')} s"
