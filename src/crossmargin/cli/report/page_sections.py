"""The parts of an account's page: what is required and why, what would happen, how far it is, what is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from crossmargin.cli.report import charts, plots
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    columns_of,
    figure,
    grid,
    status_pill,
    summary,
    table,
    tiles,
    warned,
)
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.rulebooks.ruling import SCAN, share_whole, warnings
from crossmargin.cli.sampling import sampling_notes
from crossmargin.cli.sentences import (
    account_collateral,
    account_groups,
    distance_words,
    equity_words,
    group_words,
    liquidation_words,
    merged_terms,
    pool_asset,
    ratio_words,
    reachable,
    worst_cell,
)
from crossmargin.cli.tokens.page import token_cards, token_share_card
from crossmargin.cli.wording import (
    Column,
    chain_name,
    chain_words,
    label_text,
    measure_words,
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
    Change,
    Distance,
    ExplainReport,
    Frontier,
    GroupExplanation,
    GroupReport,
    PositionLine,
    Provenance,
    RiskArray,
    Sampling,
    ScenarioLine,
    Share,
    SpotCurve,
    Term,
)
from crossmargin.market.snapshot import Snapshot

WORST_SHOWN: Final = 10
PARTS_SHOWN: Final = 14
ROWS_SHOWN: Final = 1_200


def headline(account: AccountReport, words: Sequence[str]) -> Markup:
    """What is held, what must be held, what is left, the way to liquidation, and all of it in words."""
    left = account.excess_initial_usd
    word = "Excess over initial margin" if left >= 0.0 else "Missing to initial margin"
    entries = (
        Tile("Held", f"{usd(account.equity_usd)}", "equity after haircuts, USD"),
        *_quarantined(account),
        Tile("Must be held to open", usd(account.initial_usd), "initial margin, USD"),
        Tile("Must be held to stay", usd(account.maintenance_usd), "maintenance margin, USD"),
        Tile(word, usd(left), "USD", "" if left >= 0.0 else "short"),
    )
    draw = partial(charts.gauge, account.margin_ratio, account.initial_usd, account.maintenance_usd)
    gauge = figure("Margin ratio", ratio_words(account), draw)
    return join(
        (warned(warnings(account.ruling)), tiles(entries), element("div", summary(words), gauge, class_="lead"))
    )


def _quarantined(account: AccountReport) -> Iterator[Tile]:
    """The equity behind old risk, where a quarantine keeps some of it from new risk."""
    if account.held_equity_usd > account.equity_usd:
        yield Tile("Held behind old risk", usd(account.held_equity_usd), "with what is quarantined, USD")


def requirement(account: AccountReport, sampling: Sampling | None) -> Section:
    """Terms of the whole account, then pools and groups."""
    terms = merged_terms(account)
    draw = partial(charts.waterfall, terms, account.initial_usd, account.maintenance_usd, account.equity_usd)
    note = "Each term adds to the ones above it. The dashed line is the equity that stands against their sum."
    waterfall = figure("What the requirement is made of", note, draw, _terms_table(account, terms))
    is_ruled = account.ruling is not None
    groups = card(join(_group_part(group, sampling, ruled=is_ruled) for group in account_groups(account)))
    notes = join(element("p", text, class_="note") for text in sampling_notes(sampling))
    sample = card(join((element("h3", "What the scenarios are"), notes))) if notes else Markup("")
    parts = (grid(waterfall, groups), sample, _pools_card(account))
    return Section("requirement", "What must be held", join(parts))


def _terms_table(account: AccountReport, terms: Sequence[Term]) -> Markup:
    columns = (Column("term", words=True), Column("initial, USD"), Column("share"), Column("maintenance, USD"))
    rows = [[term_name(t), usd(t.initial), _part(t.initial, account.initial_usd), usd(t.maintenance)] for t in terms]
    rows.append(["required", usd(account.initial_usd), "", usd(account.maintenance_usd)])
    return table("Requirement by term", columns, rows, total=True, shown=False)


def _part(value: float, whole: float) -> str:
    return percent(value / whole) if whole else ""


def _group_part(group: GroupReport, sampling: Sampling | None, *, ruled: bool) -> Markup:
    columns = (Column("term", words=True), Column("initial, USD"), Column("maintenance, USD"))
    rows = [[term_name(t), usd(t.initial), usd(t.maintenance)] for t in group.terms if t.initial or t.maintenance]
    rows.append(["required", usd(group.initial_usd), usd(group.maintenance_usd)])
    made = table(f"Terms of group {group.id}", columns, rows, total=True, shown=False)
    words = element("p", group_words(group, sampling, ruled=ruled), class_="note")
    return element("div", element("h3", f"Group {group.id}"), words, made, class_="part")


def _pools_card(account: AccountReport) -> Markup:
    columns = (
        Column("pool", words=True),
        Column("in", words=True),
        Column("equity, USD"),
        Column("initial"),
        Column("maintenance"),
        Column("excess"),
        Column("margin ratio"),
        Column("status", words=True),
    )
    rows = [
        [
            pool.id,
            pool_asset(pool),
            *map(usd, (pool.equity_usd, pool.initial_usd, pool.maintenance_usd, pool.excess_initial_usd)),
            ratio(pool.margin_ratio),
            status_pill(pool.status),
        ]
        for pool in account.pools
    ]
    made = table("Pools: collateral and the groups it secures", columns, rows)
    words = [element("p", f"{pool.id}: {equity_words(pool)}", class_="note") for pool in account.pools]
    return card(join((made, *words)))


def happens(report: ExplainReport) -> Section:
    """What would happen: risk arrays, curves, worst scenarios."""
    parts = [risk_array_figure(a) for a in sorted(report.risk_arrays, key=lambda a: a.underlying != "all")]
    parts += [_curve_figure(curve, report) for curve in report.spot_curves]
    scanned = {g.id for g in account_groups(report.account) if g.worst_scenario}
    for group in report.groups:
        if group.scenarios and group.id in scanned:  # In groups by rule no scenario counts.
            parts += _scenario_figures(group, report.provenance, ruled=report.account.ruling is not None)
    return Section("scenarios", "What would happen", grid(*parts))


def risk_array_figure(array: RiskArray) -> Markup:
    """A risk array as a heat map, with its worst cell in words."""
    what = "all underlyings together" if array.underlying == "all" else array.underlying
    move, vol, pnl = worst_cell(array)
    at = f"price {percent(move, plus=True)} and vol {percent(vol, plus=True)}"
    columns = (Column("price"), *(Column(f"vol {percent(v, plus=True)}") for v in array.vol_moves))
    rows = [[percent(x, plus=True), *map(usd, row)] for x, row in zip(array.moves, array.pnl_usd, strict=True)]
    numbers = table(f"P&L by price and vol move of {what}, USD", columns, rows, shown=False)
    title = f"Risk array of {what}"
    note = f"P&L in USD by price and vol move. Framed: the lowest, {usd(pnl)} at {at}."
    return figure(title, note, partial(plots.heat_map, array), numbers)


def _curve_figure(curve: SpotCurve, report: ExplainReport) -> Markup:
    columns = (Column(f"move of {curve.underlying}"), Column("P&L, USD"))
    points = zip(curve.moves, curve.pnl_usd, strict=True)
    numbers = table("P&L by price", columns, [[percent(x, plus=True), usd(y)] for x, y in points], shown=False)
    found = [d for d in report.distances if d.underlying == curve.underlying]
    draw = partial(plots.spot_curve, curve, found)
    return figure(f"P&L by the price of {curve.underlying}", liquidation_words(found), draw, numbers)


def _scenario_figures(group: GroupExplanation, provenance: Provenance, *, ruled: bool) -> Iterator[Markup]:
    ordered = sorted(group.scenarios, key=lambda s: s.pnl_usd)
    held = (
        "P&L as the rulebook counts it" if ruled else "P&L of the positions held, with open orders at their worst fill"
    )
    note = f"Of {named(len(ordered), 'scenario')}; {held}."
    draw = partial(charts.worst_bars, group.scenarios, WORST_SHOWN)
    yield figure(f"The worst scenarios of {group.id}", note, draw, _scenario_table(ordered))
    note = f"Each mark is one scenario; the figure is the family's lowest. Measure: {measure_words(provenance)}."
    yield figure(f"Every scenario of {group.id}", note, partial(charts.family_strips, group.scenarios))


def _scenario_table(lines: Sequence[ScenarioLine]) -> Markup:
    columns = (Column("scenario", words=True), Column("family", words=True), Column("P&L, USD"))
    rows = [[label_text(s.label), s.family, usd(s.pnl_usd)] for s in lines[:ROWS_SHOWN]]
    more = f" ({ROWS_SHOWN:,} of {len(lines):,})" if len(lines) > ROWS_SHOWN else ""
    return table(f"P&L by scenario, the worst first{more}", columns, rows, shown=False)


def causes(report: ExplainReport) -> Section:
    """Who causes the requirement: groups, underlyings and positions; what is alone in its group needs no chart."""
    parts = []
    if report.change is not None:
        parts.append(_change_figure(report.change))
    if len(report.by_group) > 1:
        parts.append(_attribution_figure("The account", "group", report.by_group, share_whole(report)))
    for group in report.groups:
        lines = [Share(name=p.instrument, euler_usd=p.euler_usd, marginal_usd=p.marginal_usd) for p in group.positions]
        for what, shares in (("underlying", group.underlyings), ("position", lines)):
            if len(shares) > 1:
                parts.append(_attribution_figure(group.id, what, shares, share_whole(report)))
    cards = [_positions_card(group) for group in report.groups if group.positions]
    if report.by_token:
        cards.append(token_share_card(report))
    return Section("causes", "Who causes it", join((columns_of(*parts), *cards)))


def _change_figure(change: Change) -> Markup:
    note = f"From {usd(change.before_initial_usd)} to {usd(change.after_initial_usd)} USD of initial margin."
    return figure("Change since the previous result", note, partial(charts.change_steps, change))


def _attribution_figure(whose: str, what: str, shares: Sequence[Share], whole: str) -> Markup:
    note = "Initial margin with it minus without it; the rule is not homogeneous, so that no shares add up."
    if all(share.euler_usd is not None for share in shares):
        every = "all shares adding up to it" if whole == SCAN else "adding up to it with orders and collateral"
        solid = f"Solid: share of the {whole}, {every}."
        note = f"{solid} Outline: initial margin with it minus without it."
    draw = partial(charts.attribution, shares, PARTS_SHOWN, whole)
    return figure(f"{whose} by {what}", note, draw, _share_table(what, shares, whole))


def _share_table(what: str, shares: Sequence[Share], whole: str) -> Markup:
    columns = (Column(what, words=True), Column(f"share of {whole}, USD"), Column("with minus without, USD"))
    ordered = sorted(shares, key=lambda s: (-abs(s.euler_usd or 0.0), -abs(s.marginal_usd)))
    rows = [[s.name, usd_or_blank(s.euler_usd), usd(s.marginal_usd)] for s in ordered]
    return table(f"Attribution by {what}", columns, rows, shown=False)


def _positions_card(group: GroupExplanation) -> Markup:
    headings = ("quantity", "price", "value, USD", "delta, USD", "gamma per 1 %", "vega per point", "theta per day")
    columns = (Column("position", words=True), *map(Column, headings))
    rows = [_position_row(p) for p in group.positions]
    sums = [
        usd(sum(column))
        for column in zip(
            *((p.value_usd, p.delta_usd, p.gamma_usd, p.vega_usd, p.theta_usd) for p in group.positions), strict=True
        )
    ]
    caption = f"Positions of {group.id} with their greeks, USD"
    return card(table(caption, columns, [*rows, ["total", "", "", *sums]], total=True))


def _position_row(p: PositionLine) -> list[str]:
    greeks = (p.value_usd, p.delta_usd, p.gamma_usd, p.vega_usd, p.theta_usd)
    return [p.instrument, quantity(p.quantity), price(p.price), *map(usd, greeks)]


def distances(report: ExplainReport) -> Section:
    """How far it is to liquidation, one price at a time and two together."""
    parts = [_distance_figure(report.distances)] if report.distances else []
    parts += map(_frontier_figure, report.frontiers)
    return Section("distances", "How far it is to liquidation", columns_of(*parts))


def _distance_figure(lines: Sequence[Distance]) -> Markup:
    headings = ("price", "if it falls to", "if it rises to")
    columns = (Column("underlying", words=True), Column("pool", words=True), *map(Column, headings))
    rows = [
        [d.underlying, d.pool, price(d.price), distance_words(d, "below"), distance_words(d, "above")] for d in lines
    ]
    made = table("Liquidation prices, everything else held", columns, rows, shown=False)
    found, safe = reachable(lines)
    note = "Where equity meets maintenance margin if one price moves alone; the dot is now."
    return figure("Distance to liquidation", f"{note} {safe}", partial(charts.distance_bands, found), made)


def _frontier_figure(frontier: Frontier) -> Markup:
    columns = (Column(f"{frontier.first} moves"), Column(f"{frontier.second} moves"))
    points = [[percent(x, plus=True), percent(y, plus=True)] for x, y in filter(None, frontier.points)]
    made = table("Joint moves that bring liquidation", columns, points, shown=False)
    found = f"{len(points)} of {named(len(frontier.points), 'direction')} searched lead to liquidation"
    note = f"Both prices move together, everything else held; pool {frontier.pool} stands inside the line. {found}."
    title = f"{frontier.first} and {frontier.second} together, pool {frontier.pool}"
    return figure(title, note, partial(plots.frontier_plane, frontier), made)


def capacity(report: ExplainReport) -> Section:
    """The largest further order by instrument and side."""
    columns = (Column("instrument", words=True), Column("group", words=True), Column("buy"), Column("sell"))
    rows = [[c.instrument, c.group, order_size(c.buy), order_size(c.sell)] for c in report.capacity]
    caption = "Largest further order, in contracts, after which equity still covers initial margin"
    return Section("capacity", "What still fits", card(table(caption, columns, rows)))


def collateral(account: AccountReport) -> Section:
    """What is held by asset and chain, and what counts of it."""
    lines = account_collateral(account)
    gross, counts = sum(c.gross_usd for c in lines), sum(c.recognised_usd for c in lines)
    note = f"Of {usd(gross)} USD, {usd(counts)} USD ({_part(counts, gross)}) count." if gross else ""
    draw = partial(charts.collateral_bars, lines)
    chart = figure("What is held, and what counts of it", note, draw) if lines else Markup("")
    headings = ("amount", "price, USD", "gross, USD", "haircut", "capped", "recognised")
    columns = (*(Column(h, words=True) for h in ("asset", "chain", "issuer")), *map(Column, headings))
    rows = [
        [
            *(c.asset, chain_words(c.chain), c.issuer, quantity(c.amount), price(c.price_usd)),
            *map(usd, (c.gross_usd, c.haircut_usd, c.capped_usd, c.recognised_usd)),
        ]
        for c in lines
    ]
    sums = (gross, sum(c.haircut_usd for c in lines), sum(c.capped_usd for c in lines), counts)
    made = table("Collateral by asset and chain", columns, [*rows, ["total", *[""] * 4, *map(usd, sums)]], total=True)
    parts = (grid(chart, _chain_figure(account)), card(made), token_cards(account))
    return Section("collateral", "What is held", join(parts))


def _chain_figure(account: AccountReport) -> Markup:
    sums: dict[str, float] = {}
    for line in account_collateral(account):
        name = chain_name(line.chain) or "off-chain"
        sums[name] = sums.get(name, 0.0) + line.recognised_usd
    if len(sums) < 2:
        return Markup("")
    bars = [charts.Bar(chain, value) for chain, value in sorted(sums.items(), key=lambda item: -item[1])]
    note = "What would stop counting if a chain halted."
    draw = partial(charts.signed_bars, "Recognised collateral by chain", bars, axis="recognised, USD")
    return figure("Recognised by chain", note, draw)


def smiles(names: Sequence[str], snapshot: Snapshot) -> Section:
    """The smiles that options on the book's underlyings were valued with."""
    parts = []
    for name in names:
        underlying = snapshot.underlyings.get(name)
        found = plots.smiles_of(underlying) if underlying is not None else ()
        if found:
            unit = "price units" if found[0].normal else "a year"
            note = (
                f"Implied vol ({unit}) by strike, within 2.5 standard deviations; strikes are marked at −2, 0 and +2."
            )
            draw = partial(plots.smile_panels, name, found)
            parts.append(figure(f"Smiles of {name}", note, draw, _smile_table(found)))
    return Section("market", "The market it was valued in", grid(*parts))


def _smile_table(found: Sequence[plots.Smile]) -> Markup:
    wanted = (-2.0, -1.0, 0.0, 1.0, 2.0)
    columns = (Column("expiry", words=True), Column("days"), *(Column(f"{x:+g} sd") for x in wanted))
    rows = []
    for smile in found:
        at = [min(range(len(smile.vols)), key=lambda i: abs(smile.deviations[i] - x)) for x in wanted]
        vols = [price(smile.vols[i]) if smile.normal else percent(smile.vols[i]) for i in at]
        rows.append([smile.expiry, quantity(round(smile.days, 1)), *vols])
    return table("Implied vol by expiry", columns, rows, shown=False)


def underlyings_of(report: ExplainReport) -> list[str]:
    """The underlyings of an explained book, in the order in which it names them."""
    names = [p.underlying for group in report.groups for p in group.positions]
    return list(dict.fromkeys([*names, *(c.underlying for c in report.spot_curves)]))
