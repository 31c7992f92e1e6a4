"""Reports as tables for a terminal or a pipe: colour where there is one, the same words where there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from crossmargin.cli.rulebooks.ruling import partial_line, share_whole, warnings
from crossmargin.cli.sentences import (
    account_groups,
    account_summary,
    added_words,
    closest,
    distance_words,
    equity_words,
    explain_summary,
    group_words,
    held_behind_old_risk,
    merged_terms,
    pool_asset,
    reachable,
    status_counts,
    status_words,
    stress_summary,
    worst_scenarios,
)
from crossmargin.cli.stressing.tables import cut_events, named_shocks
from crossmargin.cli.table_parts import (
    STATUS_STYLE,
    Row,
    Sheet,
    bar,
    delta,
    footer,
    heat,
    prose,
    share,
    status_text,
    table,
    warning,
)
from crossmargin.cli.tokens.tables import stock_tables, token_share_tables, token_tables
from crossmargin.cli.wording import (
    Column,
    chain_name,
    compact,
    label_text,
    named,
    order_size,
    percent,
    price,
    quantity,
    ratio,
    term_name,
    usd,
    usd_or_blank,
)
from crossmargin.engine.reports import (
    AccountReport,
    Capacity,
    Change,
    CollateralLine,
    Distance,
    ExplainReport,
    Frontier,
    GroupExplanation,
    GroupReport,
    MarginReport,
    PoolReport,
    Provenance,
    RiskArray,
    Sampling,
    ScenarioLine,
    Share,
    SimulateReport,
    StressAccount,
    StressReport,
    Term,
)

ACCOUNTS_IN_FULL: Final = 3
CLOSEST_SHOWN: Final = 10
WORST_SHOWN: Final = 10
POSITIONS_SHOWN: Final = 30
CAPACITY_SHOWN: Final = 40


def margin_tables(report: MarginReport) -> RenderableType:
    """Each account with its pools, groups, terms and collateral; a large book as totals and the ten in most danger."""
    accounts = report.accounts
    if len(accounts) > ACCOUNTS_IN_FULL:
        body = list(_overview(accounts))
    else:
        body = [part for account in accounts for part in _account(account, report.provenance)]
    if len(accounts) > 1:
        body += stock_tables(report.standings)
    return Sheet(*body, *footer(report.provenance))


def explain_tables(report: ExplainReport) -> RenderableType:
    """Everything about one account: terms, scenarios, attribution, distances, frontier, capacity and change."""
    account = report.account
    parts: list[RenderableType] = [
        *_heading(account),
        prose(explain_summary(report)),
        *_terms(merged_terms(account), account, title="Requirement by term, USD"),
    ]
    if report.change is not None:
        parts += _change(report.change)
    worst = {group.id: group for group in account_groups(account)}
    for group in report.groups:
        parts += _group_explanation(group, worst.get(group.id), share_whole(report))
    parts += _shares("Attribution by group, USD", "group", report.by_group, share_whole(report))
    parts += token_share_tables(report)
    parts += _distances(report.distances)
    parts += _frontiers(report.frontiers)
    parts += _capacity(report.capacity)
    return Sheet(*parts, *footer(report.provenance))


def simulate_tables(report: SimulateReport) -> RenderableType:
    """The account before and after, side by side, with the differences."""
    before, after = report.before, report.after
    added = Text.assemble("What if: ", (added_words(report.added), "bold"))
    lines = [
        ("equity", before.equity_usd, after.equity_usd),
        *held_behind_old_risk(before, after),
        ("initial margin", before.initial_usd, after.initial_usd),
        ("maintenance margin", before.maintenance_usd, after.maintenance_usd),
        ("excess over initial", before.excess_initial_usd, after.excess_initial_usd),
    ]
    rows: list[Row] = [[name, usd(a), usd(b), delta(b - a)] for name, a, b in lines]
    rows.append(["margin ratio", ratio(before.margin_ratio), ratio(after.margin_ratio), _ratio_change(before, after)])
    rows.append(["status", status_text(before.status), status_text(after.status), ""])
    columns = (Column("USD", words=True), Column("before"), Column("after"), Column("change"))
    return Sheet(
        Rule(Text(f"What-if of {after.id}", style="bold"), align="left"),
        Padding(added, (0, 1)),
        table("", columns, rows),
        *warning(warnings(after.ruling)),
        _compared_terms(before, after),
        _compared_groups(before, after),
        *footer(report.provenance),
    )


def stress_tables(report: StressReport) -> RenderableType:
    """P&L of each account by named shock, and its risk arrays as heat maps of text."""
    parts: list[RenderableType] = []
    shown = sorted(report.accounts, key=_ruin)[:CLOSEST_SHOWN]
    if len(shown) < len(report.accounts):
        parts.append(Padding(f"{named(len(report.accounts), 'account')}; these lose most of their equity.", (0, 1)))
    for account in shown:
        parts.append(Rule(Text(account.id, style="bold"), align="left"))
        parts.append(prose(stress_summary(account)))
        parts += warning(warnings(account.ruling))
        parts += named_shocks(account)
        for array in account.risk_arrays:
            parts += _heat_map(array)
    return Sheet(*parts, *cut_events(report), *footer(report.provenance))


def _ruin(account: StressAccount) -> float:
    worst = min((line.pnl_usd for line in account.lines), default=0.0)
    return worst / account.equity_usd if account.equity_usd > 0.0 else float("-inf")


def _heading(account: AccountReport) -> Iterator[RenderableType]:
    yield Rule(Text.assemble((account.id, "bold"), "  ", status_text(account.status)), align="left")
    columns = (
        Column("equity USD"),
        Column("initial USD"),
        Column("maintenance USD"),
        Column("excess USD"),
        Column("margin ratio"),
        Column("status", words=True),
    )
    row: Row = [
        usd(account.equity_usd),
        usd(account.initial_usd),
        usd(account.maintenance_usd),
        usd(account.excess_initial_usd),
        ratio(account.margin_ratio),
        Text(status_words(account), style=STATUS_STYLE[account.status]),
    ]
    yield table("", columns, [row])
    yield from warning(warnings(account.ruling))


def _account(account: AccountReport, provenance: Provenance) -> Iterator[RenderableType]:
    yield from _heading(account)
    yield prose(account_summary(account, provenance))
    if len(account.pools) > 1:
        yield from _terms(merged_terms(account), account, title="Requirement of the whole account by term, USD")
    for pool in account.pools:
        yield from _pool(pool, provenance.sampling, ruled=account.ruling is not None)
    yield from token_tables(account)


def _pool(pool: PoolReport, sampling: Sampling | None, *, ruled: bool) -> Iterator[RenderableType]:
    yield Text.assemble(" Pool ", (pool.id, "bold"), f" in {pool_asset(pool)}  ", status_text(pool.status))
    columns = (
        Column("equity USD"),
        Column("initial USD"),
        Column("maintenance USD"),
        Column("excess USD"),
        Column("margin ratio"),
    )
    figures = (pool.equity_usd, pool.initial_usd, pool.maintenance_usd, pool.excess_initial_usd)
    yield table("", columns, [[*map(usd, figures), ratio(pool.margin_ratio)]])
    yield prose((equity_words(pool),))
    if pool.collateral:
        yield _collateral(pool.collateral)
    for group in pool.groups:
        yield from _group(group, sampling, ruled=ruled)
    if pool.terms:
        yield _requirement(f"What pool {pool.id} requires beyond its groups", pool.terms, pool)


def _collateral(lines: Sequence[CollateralLine]) -> RenderableType:
    columns = (
        Column("asset", words=True),
        Column("chain", words=True),
        Column("amount"),
        Column("price USD"),
        Column("gross USD"),
        Column("haircut"),
        Column("capped"),
        Column("recognised"),
    )
    rows: list[Row] = [
        [
            line.asset,
            chain_name(line.chain),
            quantity(line.amount),
            price(line.price_usd),
            *map(usd, (line.gross_usd, line.haircut_usd, line.capped_usd, line.recognised_usd)),
        ]
        for line in lines
    ]
    sums = (
        sum(line.gross_usd for line in lines),
        sum(line.haircut_usd for line in lines),
        sum(line.capped_usd for line in lines),
        sum(line.recognised_usd for line in lines),
    )
    return table("Collateral", columns, [*rows, ["total", "", "", "", *map(usd, sums)]], total=True)


def _group(group: GroupReport, sampling: Sampling | None, *, ruled: bool) -> Iterator[RenderableType]:
    yield _requirement(f"Group {group.id}", group.terms, group)
    yield prose((group_words(group, sampling, ruled=ruled),))


def _requirement(title: str, terms: Sequence[Term], whole: GroupReport | PoolReport) -> RenderableType:
    """The terms of a group, or what a pool adds to those of its groups, over what the whole requires."""
    columns = (Column("term", words=True), Column("initial USD"), Column("maintenance USD"))
    rows: list[Row] = [[term_name(t), usd(t.initial), usd(t.maintenance)] for t in terms]
    rows.append(["required", usd(whole.initial_usd), usd(whole.maintenance_usd)])
    return table(title, columns, rows, total=True)


def _overview(accounts: Sequence[AccountReport]) -> Iterator[RenderableType]:
    headings = ("equity USD", "initial USD", "maintenance USD", "excess USD")
    yield Rule(Text(named(len(accounts), "account"), style="bold"), align="left")
    rows: list[Row] = []
    for status, count in status_counts(accounts).items():
        members = [a for a in accounts if a.status == status]
        rows.append([status_text(status), f"{count:,}", *_summed(members)])
    rows.append(["total", f"{len(accounts):,}", *_summed(accounts)])
    columns: tuple[Column, ...] = (Column("", words=True), Column("accounts"), *map(Column, headings))
    yield table("", columns, rows, total=True)
    yield from warning(tuple(filter(None, [partial_line({a.id: a.ruling for a in accounts})])))
    shown = closest(accounts, CLOSEST_SHOWN)
    columns = (Column("account", words=True), *map(Column, headings), Column("ratio"), Column("status", words=True))
    rows = [[a.id, *_summed([a]), ratio(a.margin_ratio), status_text(a.status)] for a in shown]
    yield table(f"The {len(shown)} closest to their limit", columns, rows)


def _summed(accounts: Sequence[AccountReport]) -> list[str]:
    """Equity, initial, maintenance and excess of all accounts together."""
    figures = [(a.equity_usd, a.initial_usd, a.maintenance_usd, a.excess_initial_usd) for a in accounts]
    return [usd(math.fsum(column)) for column in zip(*figures, strict=True)] or ["0"] * 4


def _terms(terms: Sequence[Term], account: AccountReport, *, title: str) -> Iterator[RenderableType]:
    largest = max((abs(t.initial) for t in terms), default=0.0)
    columns = (
        Column("term", words=True),
        Column("initial"),
        Column("share"),
        Column("", words=True),
        Column("maintenance"),
    )
    rows: list[Row] = [
        [
            term_name(t),
            usd(t.initial),
            share(t.initial, account.initial_usd),
            bar(t.initial, largest),
            usd(t.maintenance),
        ]
        for t in terms
    ]
    rows.append(["required", usd(account.initial_usd), "", "", usd(account.maintenance_usd)])
    yield table(title, columns, rows, total=True)


def _change(change: Change) -> Iterator[RenderableType]:
    rows: list[Row] = [
        ["before", usd(change.before_initial_usd)],
        ["positions", delta(change.positions_usd)],
        ["market", delta(change.market_usd)],
        ["parameters", delta(change.parameters_usd)],
        ["after", usd(change.after_initial_usd)],
    ]
    columns = (Column("because of", words=True), Column("initial margin USD"))
    yield table("Change since the previous result", columns, rows, total=True)


def _group_explanation(group: GroupExplanation, report: GroupReport | None, whole: str) -> Iterator[RenderableType]:
    yield Rule(Text.assemble("Group ", (group.id, "bold"), f" ({report.mode})" if report else ""), align="left")
    if group.scenarios and (report is None or report.worst_scenario):  # Groups by rule have none that counts.
        yield _scenarios(group.scenarios)
    if group.positions:
        yield from _positions(group, whole)
    if len(group.underlyings) > 1:
        yield from _shares("Attribution by underlying, USD", "underlying", group.underlyings, whole)


def _scenarios(lines: Sequence[ScenarioLine]) -> RenderableType:
    shown = worst_scenarios(lines, WORST_SHOWN)
    largest = max(abs(line.pnl_usd) for line in shown)
    columns = (Column("scenario", words=True), Column("family", words=True), Column("P&L USD"), Column("", words=True))
    rows: list[Row] = [[label_text(s.label), s.family, usd(s.pnl_usd), bar(s.pnl_usd, largest)] for s in shown]
    title = f"The {len(shown)} worst of {named(len(lines), 'scenario')}"
    return table(title, columns, rows)


def _positions(group: GroupExplanation, whole: str) -> Iterator[RenderableType]:
    shown = sorted(group.positions, key=lambda p: -max(abs(p.euler_usd or 0.0), abs(p.marginal_usd)))[:POSITIONS_SHOWN]
    more = f" (the {len(shown)} largest of {len(group.positions):,})" if len(shown) < len(group.positions) else ""
    names = (Column("position", words=True), Column("quantity"))
    columns = (*names, Column("price"), Column("value"), Column(f"share of {whole}"), Column("with − without"))
    rows: list[Row] = [
        [
            *(p.instrument, quantity(p.quantity), price(p.price), usd(p.value_usd)),
            *map(usd_or_blank, (p.euler_usd, p.marginal_usd)),
        ]
        for p in shown
    ]
    yield table(f"Attribution by position, USD{more}", columns, rows)
    columns = (*names, Column("delta"), Column("gamma /1 %"), Column("vega /pt"), Column("theta /day"))
    rows = [
        [p.instrument, quantity(p.quantity), *map(usd, (p.delta_usd, p.gamma_usd, p.vega_usd, p.theta_usd))]
        for p in shown
    ]
    sums = [sum(getattr(p, f"{greek}_usd") for p in group.positions) for greek in ("delta", "gamma", "vega", "theta")]
    yield table(f"Greeks, USD{more}", columns, [*rows, ["total", "", *map(usd, sums)]], total=True)


def _shares(title: str, what: str, shares: Sequence[Share], whole: str) -> Iterator[RenderableType]:
    if shares:
        mains = [s.marginal_usd if s.euler_usd is None else s.euler_usd for s in shares]
        largest = max(map(abs, mains))
        headings = (Column(f"share of {whole}"), Column("", words=True), Column("with − without"))
        rows: list[Row] = [
            [s.name, usd_or_blank(s.euler_usd), bar(main, largest), usd(s.marginal_usd)]
            for s, main in zip(shares, mains, strict=True)
        ]
        yield table(title, (Column(what, words=True), *headings), rows)
        if any(s.euler_usd is None for s in shares):
            yield prose(("The rule is not homogeneous: no shares add up to its requirement.",))


def _distances(distances: Sequence[Distance]) -> Iterator[RenderableType]:
    found, safe = reachable(distances)
    if found:
        headings = ("price", "if it falls to", "if it rises to")
        columns = (Column("underlying", words=True), Column("pool", words=True), *map(Column, headings))
        rows: list[Row] = [
            [d.underlying, d.pool, price(d.price), distance_words(d, "below"), distance_words(d, "above")]
            for d in found
        ]
        yield table("Liquidation, everything else held", columns, rows)
    if safe:
        yield prose((safe,))


def _frontiers(frontiers: Sequence[Frontier]) -> Iterator[RenderableType]:
    """The nearest joint move to liquidation in each quadrant; the whole frontier is on the page and in the JSON."""
    for f in frontiers:
        found = [p for p in f.points if p is not None]
        rows: list[Row] = []
        for x_sign, y_sign in ((-1, -1), (1, 1), (-1, 1), (1, -1)):
            inside = [p for p in found if p[0] * x_sign > 1e-9 and p[1] * y_sign > 1e-9]
            if inside:
                x, y = min(inside, key=lambda p: math.log1p(p[0]) ** 2 + math.log1p(p[1]) ** 2)
                rows.append([percent(x, plus=True), percent(y, plus=True)])
        if rows:
            columns = (Column(f.first), Column(f.second))
            yield table(f"Nearest joint liquidations of {f.first} and {f.second} in pool {f.pool}", columns, rows)


def _capacity(capacity: Sequence[Capacity]) -> Iterator[RenderableType]:
    if capacity:
        shown = capacity[:CAPACITY_SHOWN]
        columns = (Column("instrument", words=True), Column("group", words=True), Column("buy"), Column("sell"))
        rows: list[Row] = [[c.instrument, c.group, order_size(c.buy), order_size(c.sell)] for c in shown]
        more = f" (the first {len(shown)} of {len(capacity):,})" if len(shown) < len(capacity) else ""
        yield table(f"Largest further order that still fits, contracts{more}", columns, rows)


def _ratio_change(before: AccountReport, after: AccountReport) -> str:
    if before.margin_ratio is None or after.margin_ratio is None:
        return ""
    return percent(after.margin_ratio - before.margin_ratio, plus=True)


def _compared_terms(before: AccountReport, after: AccountReport) -> RenderableType:
    old, new = ({t.name: t for t in merged_terms(account)} for account in (before, after))
    rows: list[Row] = []
    for name in dict.fromkeys([*old, *new]):
        a, b = (terms.get(name, Term(name=name, initial=0.0, maintenance=0.0)) for terms in (old, new))
        mm = (usd(a.maintenance), usd(b.maintenance), delta(b.maintenance - a.maintenance))
        rows.append([name, usd(a.initial), usd(b.initial), delta(b.initial - a.initial), *mm])
    columns = (
        Column("term", words=True),
        *map(Column, ("IM before", "IM after", "change", "MM before", "MM after", "change")),
    )
    return table("Requirement by term, USD", columns, rows)


def _compared_groups(before: AccountReport, after: AccountReport) -> RenderableType:
    old = {group.id: group for group in account_groups(before)}
    columns = (Column("group", words=True), Column("initial USD"), Column("change"), Column("worst", words=True))
    rows: list[Row] = []
    for group in account_groups(after):
        was = old[group.id].initial_usd if group.id in old else 0.0
        worst = label_text(group.worst_scenario)
        if group.id in old and old[group.id].worst_scenario != group.worst_scenario:
            worst = f"{worst} (was {label_text(old[group.id].worst_scenario) or 'by rule'})"
        rows.append([group.id, usd(group.initial_usd), delta(group.initial_usd - was), worst])
    return table("Groups after", columns, rows)


def _heat_map(array: RiskArray) -> Iterator[RenderableType]:
    """Price moves down, vol moves across; each cell with its figure and a bar of its size beside the sign."""
    largest = max((abs(pnl) for row in array.pnl_usd for pnl in row), default=0.0)
    columns = (Column("price"), *(Column(f"vol {percent(v, plus=True, digits=0)}") for v in array.vol_moves))
    rows: list[Row] = [
        [percent(move, plus=True), *(heat(pnl, largest) for pnl in row)]
        for move, row in zip(array.moves, array.pnl_usd, strict=True)
    ]
    what = "all underlyings together" if array.underlying == "all" else array.underlying
    yield table(f"Risk array of {what}: P&L in USD, full shade {compact(largest)}", columns, rows)
