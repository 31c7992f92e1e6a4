"""Reports in sentences, and what of a report is worth telling first. Plain text, like `wording`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from crossmargin.cli.rulebooks.ruling import ruling_words
from crossmargin.cli.wording import (
    MINUS,
    NEVER,
    chain_name,
    days,
    label_text,
    level,
    named,
    percent,
    quantity,
    relative,
    risk_words,
    term_name,
    trimmed,
    usd,
)
from crossmargin.engine.reports import (
    AccountReport,
    CollateralLine,
    Distance,
    ExplainReport,
    GroupReport,
    PoolReport,
    Provenance,
    RiskArray,
    Sampling,
    ScenarioLine,
    Status,
    StressAccount,
    Term,
)

STATUS_WORDS: Final[dict[Status, str]] = {
    "healthy": "equity covers initial margin",
    "restricted": "equity covers maintenance only: no new risk, no withdrawals",
    "liquidation": "equity does not cover maintenance",
}

QUARANTINED: Final = "equity does not cover initial margin: no new risk; with what is quarantined it covers maintenance"

_SPARED: Final = " What is quarantined keeps it from liquidation, and opens nothing."

_SEVERITY: Final[dict[Status, int]] = {"healthy": 0, "restricted": 1, "liquidation": 2}

_PAST: Final = re.compile(r"(stressed )?(\d{4}-\d\d-\d\d)T(\d\d:\d\d)\S*Z")

_NUMBER: Final = r"([+-][\d.]+) %"

_SINGLE: Final = re.compile(rf"(\S+) {_NUMBER}, vol (up|down|same)")

_PAIR: Final = re.compile(rf"(\S+) {_NUMBER}, (\S+) {_NUMBER} \((closer|apart)\) × ([\d.e+-]+)")

_ALL: Final = re.compile(r"all ([+-])(\d+)/(\d+) of range by beta( to (\S+))?, vol (up|down|same)")

_FAR: Final = re.compile(rf"(\S+) {_NUMBER}(, others by beta(?: to \S+)?,)? × ([\d.e+-]+)")

_PEG: Final = re.compile(rf"(.+?)( peg)? {_NUMBER}")

_CURVE: Final = re.compile(r"(\S+) (carry|rates) (up|down|steeper|flatter)")

_WING: Final = re.compile(rf"(\S+) (skew|smile) {_NUMBER}")

_BENT: Final = {"up": "rose", "down": "fell", "steeper": "steepened", "flatter": "flattened"}

_VOL: Final = {"up": "with vol up", "down": "with vol down", "same": "with vol unchanged"}


def _moved(name: str, move: str) -> str:
    size = trimmed(move[1:])
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
    >>> scenario_clause("all -3/4 of range by beta to crypto_major, vol up")
    'if crypto major fell by 3/4 of its range, all else by beta, with vol up'
    >>> scenario_clause("BTC -16.0 %, ETH -16.0 % (closer) × 0.972")
    'if BTC fell 16 % and ETH fell 16 %, moving closer together than usual (counted at 97 %)'
    >>> scenario_clause("USD rates steeper")
    'if USD rates steepened'
    >>> scenario_clause("2020-03-13T00:00:00Z")
    'if the moves up to 2020-03-13 00:00 came again'
    >>> scenario_clause("Black Thursday")
    'in the scenario “Black Thursday”'
    """
    if found := _SINGLE.fullmatch(label):
        return f"if {_moved(found[1], found[2])} {_VOL[found[3]]}"
    if found := _PAIR.fullmatch(label):
        how = "closer together" if found[5] == "closer" else "further apart"
        both = f"{_moved(found[1], found[2])} and {_moved(found[3], found[4])}"
        return f"if {both}, moving {how} than usual (counted at {percent(float(found[6]), digits=0)})"
    if found := _ALL.fullmatch(label):
        verb = "fell" if found[1] == "-" else "rose"
        size = "its full range" if found[2] == found[3] else f"{found[2]}/{found[3]} of its range"
        if found[5]:
            return f"if {found[5].replace('_', ' ')} {verb} by {size}, all else by beta, {_VOL[found[6]]}"
        return f"if everything {verb} together by {size} {_VOL[found[6]]}"
    if found := _FAR.fullmatch(label):
        others = " and all else by beta" if found[3] else ""
        return f"if {_moved(found[1], found[2])}{others} (a far move, counted at {percent(float(found[4]), digits=2)})"
    if found := _CURVE.fullmatch(label):
        what = f"the carry of {found[1]}" if found[2] == "carry" else f"{found[1]} rates"
        return f"if {what} {_BENT[found[3]]}"
    if found := _WING.fullmatch(label):
        return f"if {_moved(f'the {found[2]} of {found[1]}', found[3])}"
    if (found := _PEG.fullmatch(label)) and (found[2] or found[1].startswith("all ")):
        return f"if {_moved(f'the peg of {found[1]}' if found[2] else found[1], found[3])}"
    if found := _PAST.fullmatch(label):
        size = " in full" if found[1] else ""
        return f"if the moves up to {found[2]} {found[3]} came again{size}"
    return f"in the scenario “{label_text(label)}”"


def merged_terms(account: AccountReport) -> tuple[Term, ...]:
    """What the groups of an account require and what its pools add, by name, in the order of first appearance."""
    return sum_terms(
        term for pool in account.pools for part in (*(g.terms for g in pool.groups), pool.terms) for term in part
    )


def sum_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms summed by name (in words), in the order of first appearance."""
    sums: dict[str, tuple[float, float]] = {}
    for term in terms:
        initial, maintenance = sums.get(term_name(term), (0.0, 0.0))
        sums[term_name(term)] = (initial + term.initial, maintenance + term.maintenance)
    return tuple(Term(name=name, initial=im, maintenance=mm) for name, (im, mm) in sums.items())


def account_groups(account: AccountReport) -> tuple[GroupReport, ...]:
    """Every margin group of an account."""
    return tuple(group for pool in account.pools for group in pool.groups)


def account_collateral(account: AccountReport) -> tuple[CollateralLine, ...]:
    """What an account holds by asset, chain and issuer, summed over its pools, the largest first.

    Tokens stand by themselves: two of one asset on one chain are worth different things.
    """
    sums: dict[tuple[str, str, str, int], CollateralLine] = {}
    for i, line in enumerate(line for pool in account.pools for line in pool.collateral):
        key = (line.asset, line.chain, line.issuer, -1 if line.token is None else i)
        sums[key] = _added(sums[key], line) if key in sums else line
    return tuple(sorted(sums.values(), key=lambda line: -abs(line.gross_usd)))


def _added(first: CollateralLine, second: CollateralLine) -> CollateralLine:
    fields = ("amount", "gross_usd", "haircut_usd", "capped_usd", "recognised_usd", "held_usd")
    return msgspec.structs.replace(first, **{f: getattr(first, f) + getattr(second, f) for f in fields})


def closest(accounts: Sequence[AccountReport], count: int) -> tuple[AccountReport, ...]:
    """The accounts nearest to their limit: by status, margin ratio (no equity first), then the largest hole."""

    def danger(account: AccountReport) -> tuple[int, float, float]:
        ratio = float("inf") if account.margin_ratio is None else account.margin_ratio
        return _SEVERITY[account.status], ratio, -account.excess_initial_usd

    return tuple(sorted(accounts, key=danger, reverse=True)[:count])


def status_counts(accounts: Sequence[AccountReport]) -> dict[Status, int]:
    """How many accounts have each status."""
    return {status: sum(a.status == status for a in accounts) for status in _SEVERITY}


def group_words(group: GroupReport, sampling: Sampling | None, *, ruled: bool = False) -> str:
    """How a group is margined, and what set its requirement; `ruled` where a rulebook did."""
    orders = f" and {named(group.orders, 'order')}" if group.orders else ""
    what = f"{group.mode.capitalize()} margin of {named(group.positions, 'position')}{orders}."
    if not group.worst_scenario:
        return what
    filled = ", its orders filled at their worst" if group.orders and not ruled else ""
    if sampling is not None:
        return f"{what} Its scan is {estimate_words(group, sampling)}{filled}. {_largest_loss(group)}"
    verb = "lose" if group.worst_loss_usd >= 0.0 else "gain"
    clause = scenario_clause(group.worst_scenario)
    return f"{what} At worst it would {verb} {usd(abs(group.worst_loss_usd))} USD {clause}{filled}."


def estimate_words(group: GroupReport, sampling: Sampling) -> str:
    """The scan of a group as the estimate that it is, with its standard error."""
    error = "" if group.standard_error_usd is None else f" ± {usd(group.standard_error_usd)}"
    over = "" if sampling.horizon_days is None else f" over {days(sampling.horizon_days)}"
    every = named(sampling.scenarios, "scenario")
    amount = f"{usd(group.scan_usd)}{error} USD{over}"
    if sampling.measure == "value_at_risk":
        of = f"exceeded in {sampling.tail - 1:,} of {every}" if sampling.tail else f"of {every} by weight"
        return f"a {risk_words(sampling)} of {amount}, {of}"
    worst = f"{sampling.tail:,} largest losses" if sampling.tail else f"worst {percent(1.0 - sampling.level)} by weight"
    return f"an {risk_words(sampling)} of {amount}, the mean of the {worst} in {every}"


def _largest_loss(group: GroupReport) -> str:
    return f"The largest loss is {usd(group.worst_loss_usd)} USD, {scenario_clause(group.worst_scenario)}."


def pool_asset(pool: PoolReport) -> str:
    """What a pool is kept in: one asset, or any."""
    return pool.asset or "all assets"


def liquidation_words(distances: Sequence[Distance]) -> str:
    """All liquidation prices of one underlying in a sentence."""
    several = len({d.pool for d in distances}) > 1
    found = [
        f"{level(target)} ({percent(move, plus=True)}{f', pool {d.pool}' if several else ''})"
        for d in distances
        for target in (d.below, d.above)
        if target is not None and (move := relative(target, d.price)) is not None
    ]
    if found:
        return f"Liquidation at {' and '.join(found)}."
    if distances:
        edges = f"{level(distances[0].searched_from)} to {level(distances[0].searched_to)}"
        return f"No price from {edges} brings liquidation."
    return ""


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
    return found, f"No price searched turns the verdict for {', '.join(safe)}." if safe else ""


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
    held = f"{account.id} holds {usd(account.equity_usd)} USD after haircuts{_quarantined(account)}"
    if not account.initial_usd and not account.maintenance_usd:
        return f"{held} and has to hold nothing."
    must = (
        f"{held}. It must hold {usd(account.initial_usd)} USD to open new risk (initial margin) and"
        f" {usd(account.maintenance_usd)} USD to keep what it has (maintenance)."
    )
    if account.status == "healthy":
        return f"{must} It is healthy, with {usd(account.excess_initial_usd)} USD to spare over initial margin."
    if account.status == "restricted":
        spared = "" if account.equity_usd >= account.maintenance_usd else _SPARED
        return f"{must} It is restricted: {usd(-account.excess_initial_usd)} USD are missing to open new risk.{spared}"
    missing = account.maintenance_usd - account.held_equity_usd
    return (
        f"{must} It is in liquidation: {usd(missing)} USD are missing to cover maintenance."
        if missing > 0
        else (f"{must} It is in liquidation: one of its pools does not cover its own maintenance.")
    )


def status_words(account: AccountReport) -> str:
    """What the status of an account means for it."""
    is_spared = account.status == "restricted" and account.equity_usd < account.maintenance_usd
    return QUARANTINED if is_spared else STATUS_WORDS[account.status]


def ratio_words(account: AccountReport) -> str:
    """What a margin ratio is of."""
    if account.held_equity_usd <= account.equity_usd:
        return "Maintenance margin over equity."
    return "Maintenance margin over equity with what is quarantined. New risk needs equity without it."


def held_behind_old_risk(before: AccountReport, after: AccountReport) -> Iterator[tuple[str, float, float]]:
    """The equity behind old risk before and after, where a quarantine keeps some of it from new risk."""
    if (before.held_equity_usd, after.held_equity_usd) != (before.equity_usd, after.equity_usd):
        yield "Held behind old risk", before.held_equity_usd, after.held_equity_usd


def equity_words(pool: PoolReport) -> str:
    """What the equity of a pool is made of."""
    parts = [f"{usd(pool.collateral_usd)} USD of recognised collateral"]
    for value, what in ((pool.unsettled_usd, "unsettled P&L"), (pool.position_value_usd, "position value")):
        if value:
            parts.append(f"{'plus' if value > 0.0 else 'minus'} {usd(abs(value))} of {what}")
    return f"Equity is {' '.join(parts)}{_quarantined(pool)}."


def _quarantined(one: AccountReport | PoolReport) -> str:
    """What stands behind old risk, where a quarantine keeps some of it from new risk."""
    more = one.held_equity_usd - one.equity_usd
    if more <= 0.0:
        return ""
    return f" for new risk, and {usd(one.held_equity_usd)} USD behind what it has: {usd(more)} USD are quarantined"


def _worst_sentences(account: AccountReport, provenance: Provenance) -> Iterator[str]:
    groups = [g for g in account_groups(account) if g.worst_scenario and g.worst_loss_usd > 0.0]
    if not groups:
        return
    worst = max(groups, key=lambda g: g.scan_usd or g.worst_loss_usd)
    if account.ruling is not None:
        every = named(provenance.scenarios, "scenario")
        clause = scenario_clause(worst.worst_scenario)
        yield f"Of {every} of the rulebook the worst loses {usd(worst.worst_loss_usd)} USD, {clause}."
        return
    who = "The book" if len(account_groups(account)) == 1 else f"Group {worst.id}"
    if provenance.sampling is not None:
        filled = ", its open orders filled at their worst" if worst.orders else ""
        yield f"{who} has {estimate_words(worst, provenance.sampling)}{filled}: that sets its requirement."
        yield _largest_loss(worst)
        return
    orders = " and its open orders were filled at their worst" if worst.orders else ""
    yield (
        f"{who} would lose {usd(worst.worst_loss_usd)} USD {scenario_clause(worst.worst_scenario)}{orders};"
        f" of {named(provenance.scenarios, 'scenario')}, this one sets its requirement."
    )


def _term_sentences(account: AccountReport) -> Iterator[str]:
    terms = sorted(merged_terms(account), key=lambda t: -t.initial)
    if account.initial_usd > 0.0 and len(terms) > 1 and terms[1].initial > 0.0:
        first, second = terms[0], terms[1]
        yield (
            f"The largest term is {term_name(first)} with {percent(first.initial / account.initial_usd, digits=0)} of"
            f" initial margin, then {term_name(second)} with {usd(second.initial)} USD."
        )


def _collateral_sentences(account: AccountReport) -> Iterator[str]:
    lines = account_collateral(account)
    gross = sum(line.gross_usd for line in lines)
    off = sum(line.haircut_usd + line.capped_usd for line in lines)
    if gross > 0.0 and off >= 0.0:  # A rulebook may price collateral above the market, and call that no haircut.
        yield (
            f"Haircuts and caps take {usd(off)} USD ({percent(off / gross)}) off collateral worth {usd(gross)} USD;"
            f" the largest holding is {lines[0].asset}{f' on {chain_name(lines[0].chain)}' if lines[0].chain else ''}."
        )


def _distance_sentences(account: AccountReport, distances: Sequence[Distance]) -> Iterator[str]:
    if not distances:
        return
    is_over = account.status == "liquidation" and len(account.pools) == 1  # Then the way is that out of it.
    if (close := nearest(distances)) is None:
        yield f"No move of a single underlying that was searched {'ends' if is_over else 'brings'} its liquidation."
        return
    distance, target, move = close
    verb = "falls" if move < 0 else "rises"
    yield (
        f"With everything else held, {'maintenance is covered' if is_over else 'the nearest liquidation is'} where"
        f" {distance.underlying} {verb}"
        f" {percent(abs(move))} to {level(target)}."
    )


def account_summary(
    account: AccountReport, provenance: Provenance, distances: Sequence[Distance] = ()
) -> tuple[str, ...]:
    """The account in a few sentences, all made from its numbers."""
    return (
        standing(account),
        *(ruling_words(account.ruling) if account.ruling is not None else ()),
        *_worst_sentences(account, provenance),
        *_term_sentences(account),
        *_distance_sentences(account, distances),
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


def book_summary(accounts: Sequence[AccountReport]) -> tuple[str, ...]:
    """A book of many accounts in a few sentences."""
    counts, every = status_counts(accounts), named(len(accounts), "account")
    if counts["healthy"] == len(accounts):
        return (f"All of {every} cover their initial margin.",)
    short = [a for a in accounts if a.excess_initial_usd < 0.0]
    missing = usd(-sum(a.excess_initial_usd for a in short))
    covered = f"Of {every}, {counts['healthy']:,} cover their initial margin, {counts['restricted']:,} only maintenance"
    lacking = f"Together {missing} USD of initial margin are missing on {named(len(short), 'account')}."
    return (f"{covered}, and {counts['liquidation']:,} are in liquidation.", lacking)


def added_words(added: Sequence[str]) -> str:
    """What a what-if adds, each amount written out.

    >>> added_words(["-25 BTC-26JUN26-50000-P.DERIBIT", "+1e+06 USDC on eip155:1"])
    '−25 BTC-26JUN26-50000-P.DERIBIT and +1,000,000 USDC on eip155:1'
    """
    written = []
    for text in added:
        found = re.fullmatch(r"([+-]?\d[\d.]*(?:e[+-]?\d+)?) (.+)", text)
        amount = quantity(float(found[1])) if found else ""
        sign = "" if amount.startswith(MINUS) else "+"
        written.append(f"{sign}{amount} {found[2]}" if found else label_text(text))
    return " and ".join(filter(None, (", ".join(written[:-1]), *written[-1:]))) or "nothing"


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
            f"{f'{ruin:,}' if ruin else 'None'} of {named(len(account.lines), 'shock')} would take more than it holds."
        )
    return tuple(sentences)


def worst_scenarios(lines: Sequence[ScenarioLine], count: int) -> tuple[ScenarioLine, ...]:
    """The `count` lowest P&Ls, the worst first; scenarios of one family that cost the same to the cent share a line."""
    alike: dict[tuple[float, str], list[ScenarioLine]] = {}
    for line in sorted(lines, key=lambda line: line.pnl_usd):
        alike.setdefault((round(line.pnl_usd, 2), line.family), []).append(line)
        if len(alike) > count:
            break
    return tuple(
        msgspec.structs.replace(
            group[0], label=f"{group[0].label} and {len(group) - 1} more" if group[1:] else group[0].label
        )
        for group in list(alike.values())[:count]
    )
