"""Figures and sentences as people read them: the same words for the terminal and for the page.

Everything here is plain text; whoever puts it in a page escapes it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from crossmargin.engine.reports import (
    AccountReport,
    CollateralLine,
    Distance,
    ExplainReport,
    GroupReport,
    PoolReport,
    Provenance,
    RiskArray,
    ScenarioLine,
    Status,
    StressAccount,
    Term,
)

MINUS: Final = "−"
NEVER: Final = "never"
STATUS_WORDS: Final[dict[Status, str]] = {
    "healthy": "equity covers initial margin",
    "restricted": "equity covers maintenance only: no new risk, no withdrawals",
    "liquidation": "equity does not cover maintenance",
}
# Names of CAIP-2 identifiers, from the CAIP namespaces (namespaces.chainagnostic.org) and, for eip155, the list of
# ethereum-lists/chains; what is not here is shown by its identifier.
CHAIN_NAMES: Final = {
    "bip122:000000000019d6689c085ae165831e93": "Bitcoin",
    "eip155:1": "Ethereum",
    "eip155:10": "Optimism",
    "eip155:56": "BNB Smart Chain",
    "eip155:137": "Polygon",
    "eip155:8453": "Base",
    "eip155:42161": "Arbitrum One",
    "eip155:43114": "Avalanche C-Chain",
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": "Solana",
    "tron:0x2b6653dc": "Tron",
}
_SEVERITY: Final[dict[Status, int]] = {"healthy": 0, "restricted": 1, "liquidation": 2}
_SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


class Column(NamedTuple):
    """A heading, and whether it stands over words (left, may wrap) or over numbers (right, never cut)."""

    heading: str
    words: bool = False


def _signed(text: str, *, plus: bool = False) -> str:
    """Write the sign of a formatted number as typeset text, without a sign on zero."""
    if not any(digit in text for digit in "123456789"):
        return text.lstrip("+-")
    if text.startswith("-"):
        return MINUS + text[1:]
    return f"+{text}" if plus else text


def usd(value: float, *, plus: bool = False) -> str:
    """USD with thousands separators: whole from 100 on, cents below.

    >>> usd(-412300.4), usd(12.345), usd(0.0), usd(5e6, plus=True)
    ('−412,300', '12.35', '0', '+5,000,000')
    """
    whole = abs(value) >= 99.995 or abs(value) < 0.005
    return _signed(f"{value:,.0f}" if whole else f"{value:,.2f}", plus=plus)


def compact(value: float) -> str:
    """A figure in three digits, for cells and ticks.

    >>> compact(-1_412_300), compact(41_230), compact(999_600), compact(7.25), compact(0.0)
    ('−1.41M', '41.2k', '1M', '7.25', '0')
    """
    size = abs(value)
    for scale, suffix in _SUFFIXES:
        if size >= 0.9995 * scale:
            return _signed(_trimmed(f"{value / scale:.{_decimals(size / scale)}f}") + suffix)
    return _signed(_trimmed(f"{value:.{_decimals(size)}f}"))


def _decimals(size: float) -> int:
    return 0 if size >= 99.95 else 1 if size >= 9.995 else 2


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(value: float) -> str:
    """A quoted price: to the cent from 100 on, in five digits below.

    >>> price(71423.5), price(5321.25), price(1.08234), price(0.000123456)
    ('71,423.5', '5,321.25', '1.0823', '0.00012346')
    """
    return _signed(_trimmed(f"{value:,.{2 if abs(value) >= 100.0 else _places(value, 5)}f}"))


def level(value: float) -> str:
    """A computed price, such as that of a liquidation, in five digits.

    >>> level(51210.6), level(814.416), level(0.0541)
    ('51,211', '814.42', '0.0541')
    """
    return _signed(_trimmed(f"{value:,.{_places(value, 5)}f}"))


def _places(value: float, digits: int) -> int:
    return max(0, digits - 1 - _exponent(abs(value)))


def _exponent(size: float) -> int:
    return int(f"{size:e}".rsplit("e", maxsplit=1)[-1])


def quantity(value: float) -> str:
    """An amount or a number of contracts, up to four decimals, or four digits where it is small.

    >>> quantity(-1250000.5), quantity(0.00031234), quantity(40.0)
    ('−1,250,000.5', '0.0003123', '40')
    """
    size = abs(value)
    return _signed(_trimmed(f"{value:,.{4 if size >= 1.0 else _places(value, 4)}f}"))


def percent(value: float, *, digits: int = 1, plus: bool = False) -> str:
    """A decimal as percent.

    >>> percent(0.7512), percent(-0.16, plus=True), percent(2.0)
    ('75.1 %', '−16 %', '200 %')
    """
    return _signed(_trimmed(f"{100.0 * value:,.{digits}f}") + " %", plus=plus)


def ratio(value: float | None) -> str:
    """A margin ratio; None is an account without equity that must hold something."""
    return "no equity" if value is None else percent(value)


def moment(as_of_ms: int) -> str:
    """`2026-03-31 15:30:00 UTC` of integer milliseconds.

    >>> moment(1_774_971_000_000)
    '2026-03-31 15:30:00 UTC'
    """
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=as_of_ms)).strftime(
        "%Y-%m-%d %H:%M:%S UTC"
    )


def label_text(label: str) -> str:
    """A scenario's label with typeset minus signs.

    >>> label_text("BTC -16.0 %, vol up")
    'BTC −16.0 %, vol up'
    """
    return re.sub(r"(?<!\S)-(?=\d)", MINUS, label)


def chain_name(chain: str) -> str:
    """The name of a chain where it has a common one, else its CAIP-2 identifier; nothing for what is on no chain."""
    return CHAIN_NAMES.get(chain, chain)


def chain_words(chain: str) -> str:
    """The name of a chain and its CAIP-2 identifier."""
    name = CHAIN_NAMES.get(chain)
    return f"{name} ({chain})" if name else chain


def named(count: int, noun: str) -> str:
    """`1 account`, `12 accounts`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def measure_words(provenance: Provenance) -> str:
    """The measure and the number of scenarios it reads."""
    return f"{provenance.measure.replace('_', ' ')} of {named(provenance.scenarios, 'scenario')}"


_NUMBER: Final = r"([+-][\d.]+) %"
_SINGLE: Final = re.compile(rf"(\S+) {_NUMBER}, vol (up|down|same)")
_PAIR: Final = re.compile(rf"(\S+) {_NUMBER}, (\S+) {_NUMBER} \((closer|apart)\)")
_ALL: Final = re.compile(r"all ([+-])(\d+)/(\d+) of range by beta, vol (up|down|same)")
_FAR: Final = re.compile(rf"(\S+) {_NUMBER}(, others by beta,)? × ([\d.e+-]+)")
_PEG: Final = re.compile(rf"(.+?)( peg)? {_NUMBER}")
_VOL: Final = {"up": "with vol up", "down": "with vol down", "same": "with vol unchanged"}


def _moved(name: str, move: str) -> str:
    size = _trimmed(move[1:])
    if not any(digit in size for digit in "123456789"):
        return f"{name} did not move"
    return f"{name} {'fell' if move[0] == '-' else 'rose'} {size} %"


def scenario_clause(label: str) -> str:
    """When it happens, as the end of a sentence; labels of other forms are quoted.

    >>> scenario_clause("BTC -16.0 %, vol up")
    'if BTC fell 16 % with vol up'
    >>> scenario_clause("all -4/4 of range by beta, vol up")
    'if everything fell together by its full range with vol up'
    >>> scenario_clause("ETH +33.0 % × 0.097")
    'if ETH rose 33 % (a far move, counted at 9.7 %)'
    >>> scenario_clause("BTC -16.0 %, ETH -18.2 % (closer)")
    'if BTC fell 16 % and ETH fell 18.2 %, moving closer together than usual'
    >>> scenario_clause("Black Thursday")
    'in the scenario “Black Thursday”'
    """
    if found := _SINGLE.fullmatch(label):
        return f"if {_moved(found[1], found[2])} {_VOL[found[3]]}"
    if found := _PAIR.fullmatch(label):
        how = "closer together" if found[5] == "closer" else "further apart"
        return f"if {_moved(found[1], found[2])} and {_moved(found[3], found[4])}, moving {how} than usual"
    if found := _ALL.fullmatch(label):
        verb = "fell" if found[1] == "-" else "rose"
        size = "its full range" if found[2] == found[3] else f"{found[2]}/{found[3]} of its range"
        return f"if everything {verb} together by {size} {_VOL[found[4]]}"
    if found := _FAR.fullmatch(label):
        others = " and all else by beta" if found[3] else ""
        return f"if {_moved(found[1], found[2])}{others} (a far move, counted at {percent(float(found[4]))})"
    if (found := _PEG.fullmatch(label)) and (found[2] or found[1].startswith("all ")):
        return f"if {_moved(f'the peg of {found[1]}' if found[2] else found[1], found[3])}"
    return f"in the scenario “{label_text(label)}”"


def merged_terms(account: AccountReport) -> tuple[Term, ...]:
    """The terms of all pools, summed by name in the order in which they first appear."""
    return sum_terms(term for pool in account.pools for term in pool.terms)


def sum_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms summed by name, in the order in which they first appear."""
    sums: dict[str, tuple[float, float]] = {}
    for term in terms:
        initial, maintenance = sums.get(term.name, (0.0, 0.0))
        sums[term.name] = (initial + term.initial, maintenance + term.maintenance)
    return tuple(Term(name=name, initial=im, maintenance=mm) for name, (im, mm) in sums.items())


def account_groups(account: AccountReport) -> tuple[GroupReport, ...]:
    """Every margin group of an account."""
    return tuple(group for pool in account.pools for group in pool.groups)


def account_collateral(account: AccountReport) -> tuple[CollateralLine, ...]:
    """What an account holds by asset, chain and issuer, summed over its pools, the largest first."""
    sums: dict[tuple[str, str, str], CollateralLine] = {}
    for line in (line for pool in account.pools for line in pool.collateral):
        key = (line.asset, line.chain, line.issuer)
        sums[key] = _added(sums[key], line) if key in sums else line
    return tuple(sorted(sums.values(), key=lambda line: -abs(line.gross_usd)))


def _added(first: CollateralLine, second: CollateralLine) -> CollateralLine:
    fields = ("amount", "gross_usd", "haircut_usd", "capped_usd", "recognised_usd")
    return msgspec.structs.replace(first, **{f: getattr(first, f) + getattr(second, f) for f in fields})


def closest(accounts: Sequence[AccountReport], count: int) -> tuple[AccountReport, ...]:
    """The accounts nearest to their limit: by status, then by margin ratio, without equity first."""

    def danger(account: AccountReport) -> tuple[int, float]:
        return _SEVERITY[account.status], float("inf") if account.margin_ratio is None else account.margin_ratio

    return tuple(sorted(accounts, key=danger, reverse=True)[:count])


def status_counts(accounts: Sequence[AccountReport]) -> dict[Status, int]:
    """How many accounts have each status."""
    return {status: sum(a.status == status for a in accounts) for status in _SEVERITY}


def relative(target: float | None, now: float) -> float | None:
    """The move from `now` to `target`, as a share of |now|; None without a target or a price."""
    return None if target is None or now == 0.0 else (target - now) / abs(now)


def distance_words(distance: Distance, side: str) -> str:
    """`51,230 (−23.1 %)`, or that the search found none down (up) to where it looked."""
    target = distance.below if side == "below" else distance.above
    move = relative(target, distance.price)
    if target is not None:
        return level(target) + (f" ({percent(move, plus=True)})" if move is not None else "")
    edge = distance.searched_from if side == "below" else distance.searched_to
    return f"{NEVER} {'down' if side == 'below' else 'up'} to {level(edge)}"


def reachable(distances: Sequence[Distance]) -> tuple[tuple[Distance, ...], str]:
    """The distances that end somewhere, and a sentence that names the prices that do not."""
    found = tuple(d for d in distances if d.below is not None or d.above is not None)
    safe = [f"{d.underlying} ({d.pool})" for d in distances if d.below is None and d.above is None]
    return found, f"No price of these leads there: {', '.join(safe)}." if safe else ""


def nearest(distances: Sequence[Distance]) -> tuple[Distance, float, float] | None:
    """The distance with the smallest relative move to liquidation: (distance, price, move)."""
    found = [
        (distance, target, move)
        for distance in distances
        for target in (distance.below, distance.above)
        if target is not None and (move := relative(target, distance.price)) is not None
    ]
    return min(found, key=lambda item: abs(item[2]), default=None)


def standing(account: AccountReport) -> str:
    """What the account holds, what it must hold, and what follows."""
    held = f"{account.id} holds {usd(account.equity_usd)} USD after haircuts"
    if not account.initial_usd and not account.maintenance_usd:
        return f"{held} and has to hold nothing."
    must = (
        f"{held}. It must hold {usd(account.initial_usd)} USD to open new risk (initial margin) and"
        f" {usd(account.maintenance_usd)} USD to keep what it has (maintenance)."
    )
    if account.status == "healthy":
        return f"{must} It is healthy, with {usd(account.excess_initial_usd)} USD to spare over initial margin."
    if account.status == "restricted":
        return f"{must} It is restricted: {usd(-account.excess_initial_usd)} USD are missing to open new risk."
    missing = account.maintenance_usd - account.equity_usd
    return (
        f"{must} It is in liquidation: {usd(missing)} USD are missing to cover maintenance."
        if missing > 0
        else (f"{must} It is in liquidation: one of its pools does not cover its own maintenance.")
    )


def equity_words(pool: PoolReport) -> str:
    """What the equity of a pool is made of."""
    parts = [f"{usd(pool.collateral_usd)} USD of recognised collateral"]
    for value, what in ((pool.unsettled_usd, "unsettled P&L"), (pool.position_value_usd, "position value")):
        if value:
            parts.append(f"{'plus' if value > 0.0 else 'minus'} {usd(abs(value))} of {what}")
    return f"Equity is {' '.join(parts)}."


def _worst_sentences(account: AccountReport, provenance: Provenance) -> Iterator[str]:
    groups = [g for g in account_groups(account) if g.worst_scenario and g.worst_loss_usd > 0.0]
    if not groups:
        return
    worst = max(groups, key=lambda g: g.worst_loss_usd)
    who = "The book" if len(account_groups(account)) == 1 else f"Group {worst.id}"
    yield (
        f"{who} would lose {usd(worst.worst_loss_usd)} USD {scenario_clause(worst.worst_scenario)};"
        f" of {named(provenance.scenarios, 'scenario')}, this one sets its requirement."
    )


def _term_sentences(account: AccountReport) -> Iterator[str]:
    terms = sorted(merged_terms(account), key=lambda t: -t.initial)
    if account.initial_usd > 0.0 and len(terms) > 1 and terms[1].initial > 0.0:
        first, second = terms[0], terms[1]
        yield (
            f"The largest term is {first.name} with {percent(first.initial / account.initial_usd, digits=0)} of"
            f" initial margin, then {second.name} with {usd(second.initial)} USD."
        )


def _collateral_sentences(account: AccountReport) -> Iterator[str]:
    lines = account_collateral(account)
    gross = sum(line.gross_usd for line in lines)
    off = sum(line.haircut_usd + line.capped_usd for line in lines)
    if gross > 0.0:
        yield (
            f"Haircuts and caps take {usd(off)} USD ({percent(off / gross)}) off collateral worth {usd(gross)} USD;"
            f" the largest holding is {lines[0].asset}{f' on {chain_name(lines[0].chain)}' if lines[0].chain else ''}."
        )


def _distance_sentences(distances: Sequence[Distance]) -> Iterator[str]:
    if not distances:
        return
    if (close := nearest(distances)) is None:
        yield "No move of a single underlying that was searched brings the account to liquidation."
        return
    distance, target, move = close
    verb = "falls" if move < 0 else "rises"
    yield (
        f"With everything else held, the nearest liquidation is where {distance.underlying} {verb}"
        f" {percent(abs(move))} to {level(target)}."
    )


def account_summary(
    account: AccountReport, provenance: Provenance, distances: Sequence[Distance] = ()
) -> tuple[str, ...]:
    """The account in a few sentences, all made from its numbers."""
    return (
        standing(account),
        *_worst_sentences(account, provenance),
        *_term_sentences(account),
        *_distance_sentences(distances),
        *_collateral_sentences(account),
    )


def explain_summary(report: ExplainReport) -> tuple[str, ...]:
    """The explained account in a few sentences."""
    return account_summary(report.account, report.provenance, report.distances)


def worst_cell(array: RiskArray) -> tuple[float, float, float]:
    """The price move, vol move and P&L of the lowest cell of a risk array."""
    cells = (
        (pnl, move, vol)
        for move, row in zip(array.moves, array.pnl_usd, strict=True)
        for vol, pnl in zip(array.vol_moves, row, strict=True)
    )
    pnl, move, vol = min(cells)
    return move, vol, pnl


def stress_summary(account: StressAccount) -> tuple[str, ...]:
    """One stressed account in a few sentences."""
    sentences = [f"{account.id} holds {usd(account.equity_usd)} USD."]
    if account.lines:
        worst = min(account.lines, key=lambda line: line.pnl_usd)
        verb = "lose" if worst.pnl_usd < 0 else "gain"
        sentences.append(
            f"It would {verb} {usd(abs(worst.pnl_usd))} USD {scenario_clause(worst.label)}, the worst shock."
        )
        ruin = sum(account.equity_usd + line.pnl_usd < 0.0 for line in account.lines)
        sentences.append(
            f"{ruin} of {named(len(account.lines), 'shock')} would take more than it holds."
            if ruin
            else f"It would survive {'it' if len(account.lines) == 1 else f'all {len(account.lines)} shocks'}."
        )
    return tuple(sentences)


def worst_scenarios(lines: Sequence[ScenarioLine], count: int) -> tuple[ScenarioLine, ...]:
    """The `count` scenarios with the lowest P&L, the worst first."""
    return tuple(sorted(lines, key=lambda line: line.pnl_usd)[:count])
