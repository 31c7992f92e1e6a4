"""Whole pages: one self-contained HTML text per report, for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from crossmargin.cli.report import charts, page_sections
from crossmargin.cli.report.page_parts import (
    Section,
    Tile,
    card,
    document,
    figure,
    grid,
    header,
    status_pill,
    summary,
    table,
    tiles,
    warned,
)
from crossmargin.cli.report.svg import Markup, element, join
from crossmargin.cli.rulebooks.ruling import partial_line, warnings
from crossmargin.cli.sentences import (
    account_groups,
    account_summary,
    added_words,
    book_summary,
    closest,
    explain_summary,
    held_behind_old_risk,
    merged_terms,
    scenario_clause,
    status_counts,
    stress_summary,
)
from crossmargin.cli.stressing.page import event_sections, stressed
from crossmargin.cli.tokens.page import stock_card
from crossmargin.cli.wording import Column, label_text, named, ratio, usd
from crossmargin.engine.reports import (
    AccountReport,
    ExplainReport,
    MarginReport,
    Provenance,
    SimulateReport,
    StressAccount,
    StressReport,
)
from crossmargin.market.snapshot import Snapshot

ACCOUNTS_IN_FULL: Final = 5
CLOSEST_SHOWN: Final = 10
STRESSED_SHOWN: Final = 10


def explain_page(report: ExplainReport, snapshot: Snapshot | None = None) -> str:
    """Everything about one account; with `snapshot`, the smiles of its underlyings too."""
    account = report.account
    top = join(
        (
            header("margin explained", account.id, account.status, report.provenance),
            page_sections.headline(account, explain_summary(report)),
        )
    )
    return document(f"{account.id} · margin", top, _explained(report, snapshot), report.provenance)


def _explained(report: ExplainReport, snapshot: Snapshot | None) -> list[Section]:
    sections = [page_sections.requirement(report.account, report.provenance.sampling), page_sections.happens(report)]
    sections += [page_sections.causes(report), page_sections.distances(report)]
    if report.capacity:
        sections.append(page_sections.capacity(report))
    sections.append(page_sections.collateral(report.account))
    if snapshot is not None and (market := page_sections.smiles(page_sections.underlyings_of(report), snapshot)).body:
        sections.append(market)
    return sections


def margin_page(
    report: MarginReport, explanations: Sequence[ExplainReport] = (), snapshot: Snapshot | None = None
) -> str:
    """The margin of a book; accounts with an explanation are shown whole.

    A book of one account is its page. A larger one opens with totals, the spread of margin ratios and the accounts
    closest to their limit; accounts without explanation are shown by requirement and collateral, up to five.
    """
    explained = {e.account.id: e for e in explanations}
    if len(report.accounts) == 1:
        only = report.accounts[0]
        return (
            explain_page(explained[only.id], snapshot) if only.id in explained else _plain_page(only, report.provenance)
        )
    top = join((header("margin", named(len(report.accounts), "account"), None, report.provenance), _book_top(report)))
    sections = [_closest_section(report)]
    if stocks := stock_card(report.standings):
        sections.append(Section("stocks", "Collateral of all accounts", stocks))
    shown = [a for a in report.accounts if a.id in explained or len(report.accounts) <= ACCOUNTS_IN_FULL]
    for i, account in enumerate(shown):
        sections.append(_account_section(i, account, explained.get(account.id), report.provenance, snapshot))
    return document(f"{named(len(report.accounts), 'account')} · margin", top, sections, report.provenance)


def _plain_page(account: AccountReport, provenance: Provenance) -> str:
    top = join(
        (
            header("margin", account.id, account.status, provenance),
            page_sections.headline(account, account_summary(account, provenance)),
        )
    )
    sections = [page_sections.requirement(account, provenance.sampling), page_sections.collateral(account)]
    return document(f"{account.id} · margin", top, sections, provenance)


def _book_top(report: MarginReport) -> Markup:
    accounts, counts = report.accounts, status_counts(report.accounts)
    entries = (
        Tile("Held", usd(sum(a.equity_usd for a in accounts)), "equity after haircuts, USD"),
        Tile("Initial margin", usd(sum(a.initial_usd for a in accounts)), "USD"),
        Tile("Maintenance margin", usd(sum(a.maintenance_usd for a in accounts)), "USD"),
        *(Tile(status.capitalize(), f"{count:,}", "accounts") for status, count in counts.items()),
    )
    partial = filter(None, [partial_line({a.id: a.ruling for a in accounts})])
    return join((warned(partial), tiles(entries), summary(book_summary(accounts))))


def _closest_section(report: MarginReport) -> Section:
    headings = ("equity, USD", "initial", "maintenance", "excess", "margin ratio")
    columns = (Column("account", words=True), *map(Column, headings), Column("status", words=True))
    shown = closest(report.accounts, CLOSEST_SHOWN)
    rows = [
        [
            a.id,
            *map(usd, (a.equity_usd, a.initial_usd, a.maintenance_usd, a.excess_initial_usd)),
            ratio(a.margin_ratio),
            status_pill(a.status),
        ]
        for a in shown
    ]
    made = card(table(f"The {len(shown)} accounts closest to their limit", columns, rows))
    ratios = [float("inf") if a.margin_ratio is None else a.margin_ratio for a in report.accounts]
    note = "Number of accounts by maintenance over equity; from 100 % on they are in liquidation."
    spread = figure("Margin ratios of all accounts", note, partial(charts.ratio_histogram, ratios))
    parts = (grid(spread), made) if len(ratios) > CLOSEST_SHOWN else (made,)
    return Section("closest", "Closest to their limit", join(parts))


def _account_section(
    index: int, account: AccountReport, report: ExplainReport | None, provenance: Provenance, snapshot: Snapshot | None
) -> Section:
    """One account of several: the parts of its page under smaller headings."""
    if report is None:
        parts = [page_sections.requirement(account, provenance.sampling), page_sections.collateral(account)]
        words = account_summary(account, provenance)
    else:
        parts, words = _explained(report, snapshot), explain_summary(report)
    body = [page_sections.headline(account, words)]
    for part in parts:
        body += [element("h2", part.heading, class_="minor"), part.body]
    return Section(f"account-{index + 1}", f"{account.id}: {account.status}", join(body))


def stress_page(report: StressReport) -> str:
    """Named shocks and risk arrays of each account; of many, those that would lose most of their equity."""
    shown = sorted(report.accounts, key=_worst_share)[:STRESSED_SHOWN]
    name = shown[0].id if len(report.accounts) == 1 else named(len(report.accounts), "account")
    top = join(
        (
            header("stress test", name, None, report.provenance),
            join((_stress_tiles(shown[0]), summary(stress_summary(shown[0])))) if len(shown) == 1 else Markup(""),
        )
    )
    sections = []
    for i, account in enumerate(shown):
        heading = "What would happen" if len(shown) == 1 else account.id
        words = Markup("") if len(shown) == 1 else summary(stress_summary(account))
        told = warned(warnings(account.ruling))
        sections.append(Section(f"account-{i + 1}", heading, join((told, words, stressed(account)))))
    sections += event_sections(report)
    return document(f"{name} · stress test", top, sections, report.provenance)


def _worst_share(account: StressAccount) -> float:
    worst = min((line.pnl_usd for line in account.lines), default=0.0)
    return worst / account.equity_usd if account.equity_usd > 0.0 else float("-inf")


def _stress_tiles(account: StressAccount) -> Markup:
    entries = [Tile("Held", usd(account.equity_usd), "equity after haircuts, USD")]
    if account.lines:
        ordered = sorted(account.lines, key=lambda line: line.pnl_usd)
        worst, left = ordered[0], account.equity_usd + ordered[0].pnl_usd
        entries.append(Tile("Worst shock", usd(worst.pnl_usd), label_text(worst.label)))
        entries.append(Tile("Left after it", usd(left), "USD", "" if left >= 0.0 else "short"))
    return tiles(entries)


def simulate_page(report: SimulateReport) -> str:
    """The account before and after, with what each term and group adds."""
    before, after = report.before, report.after
    pairs = (
        ("Held", before.equity_usd, after.equity_usd),
        *held_behind_old_risk(before, after),
        ("Initial margin", before.initial_usd, after.initial_usd),
        ("Maintenance margin", before.maintenance_usd, after.maintenance_usd),
        ("Excess over initial", before.excess_initial_usd, after.excess_initial_usd),
    )
    entries = [Tile(name, usd(b), f"{usd(b - a, plus=True)} from {usd(a)} USD") for name, a, b in pairs]
    rows = [[name, usd(a), usd(b), usd(b - a, plus=True)] for name, a, b in pairs]
    rows.append(["Margin ratio", ratio(before.margin_ratio), ratio(after.margin_ratio), ""])
    rows.append(["Status", status_pill(before.status), status_pill(after.status), ""])
    columns = (Column("USD", words=True), Column("before"), Column("after"), Column("change"))
    gauges = grid(*(_gauge_figure(word, a) for word, a in (("before", before), ("after", after))))
    top = join(
        (
            header("what if", after.id, after.status, report.provenance),
            warned(warnings(after.ruling)),
            tiles(entries),
            summary(_simulated_words(report)),
        )
    )
    draw = partial(charts.compared_terms, merged_terms(before), merged_terms(after))
    note = "Initial margin; the figure is the change."
    terms = figure("Requirement by term, before and after", note, draw, _compared_table(before, after))
    side = card(table("Before and after", columns, rows))
    held = page_sections.requirement(after, report.provenance.sampling)
    sections = [
        Section("change", "Before and after", join((gauges, grid(terms, side), *_changed_cards(before, after)))),
        Section("requirement", "After: what must be held", held.body),
    ]
    return document(f"{after.id} · what if", top, sections, report.provenance)


def _gauge_figure(word: str, account: AccountReport) -> Markup:
    draw = partial(charts.gauge, account.margin_ratio, account.initial_usd, account.maintenance_usd)
    return figure(f"Margin ratio {word}", f"{account.status}: {ratio(account.margin_ratio)}", draw)


def _simulated_words(report: SimulateReport) -> list[str]:
    before, after = report.before, report.after
    change = after.initial_usd - before.initial_usd
    verb = "raises" if change > 0.0 else "lowers" if change < 0.0 else "leaves"
    size = (
        f"by {usd(abs(change))} USD to {usd(after.initial_usd)} USD" if change else f"at {usd(after.initial_usd)} USD"
    )
    sentences = [f"Adding {added_words(report.added)} {verb} initial margin {size}."]
    left = after.excess_initial_usd
    word = "are left over initial margin" if left >= 0.0 else "are missing to initial margin"
    sentences.append(f"Then {usd(abs(left))} USD {word}, and the account is {after.status}.")
    old = {g.id: g.worst_scenario for g in account_groups(before)}
    sentences += [
        f"At worst, {g.id} would then lose {usd(g.worst_loss_usd)} USD {scenario_clause(g.worst_scenario)}."
        for g in account_groups(after)
        if g.worst_scenario and old.get(g.id) != g.worst_scenario
    ]
    return sentences


def _compared_table(before: AccountReport, after: AccountReport) -> Markup:
    old, new = ({t.name: t for t in merged_terms(account)} for account in (before, after))
    rows = []
    for name in dict.fromkeys([*old, *new]):
        im = [terms[name].initial if name in terms else 0.0 for terms in (old, new)]
        mm = [terms[name].maintenance if name in terms else 0.0 for terms in (old, new)]
        rows.append([name, *(cell for a, b in (im, mm) for cell in (usd(a), usd(b), usd(b - a, plus=True)))])
    headings = ("IM before", "IM after", "change", "MM before", "MM after", "change")
    return table("Requirement by term", (Column("term", words=True), *map(Column, headings)), rows, shown=False)


def _changed_cards(before: AccountReport, after: AccountReport) -> tuple[Markup, Markup]:
    """Pools and groups, before and after; what is new starts from nothing."""
    columns = (
        Column("pool", words=True),
        *map(Column, ("equity, USD", "change", "initial", "change", "excess", "change")),
    )
    was = {p.id: p for p in before.pools}
    pools = []
    for p in after.pools:
        pairs = [
            (getattr(was[p.id], name) if p.id in was else 0.0, getattr(p, name))
            for name in ("equity_usd", "initial_usd", "excess_initial_usd")
        ]
        pools.append([p.id, *(cell for a, b in pairs for cell in (f"{usd(a)} → {usd(b)}", usd(b - a, plus=True)))])
    old = {g.id: g for g in account_groups(before)}
    groups = []
    for g in account_groups(after):
        initial = old[g.id].initial_usd if g.id in old else 0.0
        worst = label_text(g.worst_scenario) or "by rule"
        groups.append([g.id, usd(initial), usd(g.initial_usd), usd(g.initial_usd - initial, plus=True), worst])
    then = (*map(Column, ("initial before, USD", "after", "change")), Column("worst scenario then", words=True))
    return (
        card(table("Pools before and after", columns, pools)),
        card(table("Groups before and after", (Column("group", words=True), *then), groups)),
    )
