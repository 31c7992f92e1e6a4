"""Draw the picture of the README from the bundled desk: `python docs/picture.py` writes docs/demo.svg."""

import re
from importlib import resources
from pathlib import Path

import crossmargin as xm
from crossmargin.cli.report.charts import waterfall
from crossmargin.cli.report.plots import heat_map
from crossmargin.cli.report.svg import WIDE, Markup, element, join
from crossmargin.engine.explaining.curves import ALL, risk_arrays
from crossmargin.engine.reports import AccountReport, RiskArray, Term
from crossmargin.engine.variants import account_alone

GAP, HEAD = 30.0, 50.0


def picture() -> str:
    """The terms of the desk's requirement, and its P&L over prices and volatilities, side by side."""
    account, array = _answers()
    drawings = (waterfall(_terms(account), *_totals(account), WIDE), heat_map(array, WIDE))
    heads = ("What the desk must hold, by term", "P&L in USD, all prices by all volatilities")
    parts = [_card()]
    for i, (head, drawing) in enumerate(zip(heads, drawings, strict=True)):
        left = GAP + i * (WIDE + GAP)
        parts.append(element("text", head, x=left, y=30.0, class_="head"))
        parts.append(Markup(drawing.replace("<svg ", f'<svg x="{left:g}" y="{HEAD:g}" ', 1)))
    width, height = 2 * WIDE + 3 * GAP, HEAD + max(map(_height, drawings)) + GAP
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
    )


def _answers() -> tuple[AccountReport, RiskArray]:
    with resources.as_file(resources.files("crossmargin.cli").joinpath("demo")) as demo:
        market = xm.read_market(demo / "market.toml")
        book = xm.read_book(demo / "book.toml", market=market)
    result = xm.margin(book, market, xm.read_model())
    rules = result.plan.scenarios.rules
    arrays = risk_arrays(account_alone(book, "desk"), market, rules, sorted(rules))
    return xm.margin_report(result, ["desk"]).accounts[0], next(a for a in arrays if a.underlying == ALL)


def _terms(account: AccountReport) -> list[Term]:
    """The terms of all groups and pools by name, in the order in which they first appear."""
    found: dict[str, Term] = {}
    every = [t for pool in account.pools for part in (*pool.groups, pool) for t in part.terms]
    for t in every:
        before = found.get(t.name, Term(name=t.name, initial=0.0, maintenance=0.0))
        found[t.name] = Term(
            name=t.name, initial=before.initial + t.initial, maintenance=before.maintenance + t.maintenance
        )
    return list(found.values())


def _totals(account: AccountReport) -> tuple[float, float, float]:
    return account.initial_usd, account.maintenance_usd, account.equity_usd


def _card() -> Markup:
    css = resources.files("crossmargin.cli.report").joinpath("page.css").read_text(encoding="utf-8")
    own = "\n.card-of-all { fill: var(--card); } .head { fill: var(--ink); font: 650 17px system-ui, sans-serif; }\n"
    card = element("rect", width="100%", height="100%", rx=10.0, class_="card-of-all")
    return join([element("style", Markup(css + own)), card])


def _height(drawing: str) -> float:
    found = re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawing)
    assert found, "a drawing states its size"
    return float(found[1])


if __name__ == "__main__":
    (Path(__file__).parent / "demo.svg").write_text(picture() + "\n", encoding="utf-8")
