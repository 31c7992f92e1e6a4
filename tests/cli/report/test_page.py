"""Pages: whole, well-formed, asking nobody for anything, and saying what the report says."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser

import msgspec
import pytest

from crossmargin.cli.report import page
from crossmargin.cli.wording import percent, usd
from tests.cli import made_up

VOID = {"meta", "link"}
PAGES = {
    "explain": lambda: page.explain_page(made_up.explain_report(), made_up.snapshot()),
    "margin of one": lambda: page.margin_page(made_up.margin_report()),
    "margin of three": lambda: page.margin_page(
        made_up.many_accounts(3), [made_up.explain_report("account-00001")], made_up.snapshot()
    ),
    "margin of many": lambda: page.margin_page(made_up.many_accounts(200)),
    "simulate": lambda: page.simulate_page(made_up.simulate_report()),
    "stress": lambda: page.stress_page(made_up.stress_report()),
}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></svg></style><script src=//evil.example/x.js></script>",
    "]]> &amp; <!-- \x1b[2J \x00",
    "javascript:alert(1)",
)


class Page(HTMLParser):
    """Reads a page, and fails on a tag that is not closed where it must be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def every(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def drawings(text: str) -> Iterator[str]:
    """Each outermost `<svg>…</svg>`."""
    depth, start = 0, 0
    for found in re.finditer(r"<svg[ >]|</svg>", text):
        depth += 1 if found[0].startswith("<svg") else -1
        if depth == 1 and found[0].startswith("<svg"):
            start = found.start()
        if depth == 0:
            yield text[start : found.end()]


@pytest.fixture(scope="module", params=PAGES)
def text(request) -> str:
    return PAGES[request.param]()


def test_every_tag_closes(text):
    read = Page(text)
    assert text.startswith("<!doctype html>")
    assert read.every("html")[0]["lang"] == "en"
    assert len(read.every("h1")) == 1


def test_every_drawing_is_xml_with_a_name_and_finite_coordinates(text):
    found = list(drawings(text))
    assert len(found) >= 2
    for drawing in found:
        root = ET.fromstring(drawing)
        assert root.get("role") == "img"
        assert root.get("aria-label") == root[0].text
        assert not re.search(r"\b(nan|inf)\b", re.sub(r"<title>.*?</title>|aria-label=\".*?\"", "", drawing))
        for part in root.iter():
            for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "r", "fill-opacity"):
                if part.get(name) is not None:
                    assert abs(float(part.get(name))) < 1e5
            if part.tag.endswith("rect"):
                assert float(part.get("width")) >= 0.0
                assert float(part.get("height")) >= 0.0


def test_nothing_is_asked_from_outside(text):
    read = Page(text)
    for tag, attributes in read.tags:
        for name, value in attributes.items():
            assert name not in ("src", "srcset", "action", "style"), (tag, name)
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "xlink:href"):
                assert value.startswith(("#", "data:")), value
    assert set(re.findall(r"https?://[^\s\"'<]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text
    assert {tag for tag, _ in read.tags}.isdisjoint(
        {"iframe", "img", "object", "embed", "base", "form", "audio", "video"}
    )


def test_the_policy_allows_the_script_inside_and_no_other(text):
    policy = next(m["content"] for m in Page(text).every("meta") if "http-equiv" in m)
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(script) == 1
    fingerprint = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{fingerprint}'" in policy
    assert "default-src 'none'" in policy


def test_contents_lead_to_sections(text):
    read = Page(text)
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in read.every("a"):
        assert link["href"].removeprefix("#") in ids


def test_every_figure_stands_on_its_own_numbers(text):
    """A plot has a table beside it, or shows each figure in its own text."""
    for found in re.findall(r"<figure.*?</figure>", text, re.DOTALL):
        assert "<table" in found or re.search(r"<text[^>]*>[^<]*\d", found)


def _numbers(value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, float) and name.endswith("_usd"):
                yield name, inner
            else:
                yield from _numbers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner)


# The page says maintenance and equity; it sums holdings over pools; and says parts of equity in a sentence. What a
# holding counts for behind old risk is said where it differs.
UNSAID = {"excess_maintenance_usd", "gross_usd", "haircut_usd", "capped_usd", "recognised_usd", "held_usd"}
UNSIGNED = {"collateral_usd", "position_value_usd", "unsettled_usd", "worst_loss_usd"}


@pytest.mark.parametrize(
    ("report", "key"),
    [(made_up.explain_report(), "explain"), (made_up.stress_report(), "stress")],
    ids=["explain", "stress"],
)
def test_every_amount_of_the_report_is_on_the_page(report, key):
    words = Page(PAGES[key]()).words
    for name, value in _numbers(msgspec.to_builtins(report)):
        if name not in UNSAID:
            said = {usd(abs(value))} if name in UNSIGNED else {usd(value), usd(value, plus=True)}
            assert any(figure in words for figure in said), (name, value)


def test_a_quarantine_is_said_with_what_stands_behind_old_risk():
    report = made_up.margin_report()
    account = report.accounts[0]
    shared = msgspec.structs.replace(account.pools[0], held_equity_usd=account.pools[0].equity_usd + 4_321_000.0)
    held = account.held_equity_usd + 4_321_000.0
    now = msgspec.structs.replace(account, held_equity_usd=held, pools=(shared, *account.pools[1:]))
    words = Page(page.margin_page(msgspec.structs.replace(report, accounts=(now,)))).words
    assert "Held behind old risk" in words
    assert f"{usd(held)} USD behind what it has: 4,321,000 USD are quarantined" in words
    assert "quarantined" not in Page(page.margin_page(msgspec.structs.replace(report, accounts=(account,)))).words


def test_before_and_after_stand_side_by_side():
    words = Page(PAGES["simulate"]()).words
    report = made_up.simulate_report()
    for before, after in ((report.before, report.after), *zip(report.before.pools, report.after.pools, strict=True)):
        for field in ("equity_usd", "initial_usd", "excess_initial_usd"):
            a, b = getattr(before, field), getattr(after, field)
            for figure in (usd(a), usd(b), usd(b - a, plus=True)):
                assert figure in words, (field, figure)


def test_collateral_of_the_page_is_that_of_the_report():
    words = Page(PAGES["explain"]()).words
    for line in made_up.collateral()[1:]:
        for figure in (line.gross_usd, line.haircut_usd, line.capped_usd, line.recognised_usd):
            assert usd(figure) in words


def test_every_cell_of_a_heat_map_is_told():
    words = Page(PAGES["stress"]()).words
    for array in made_up.risk_arrays():
        for row in array.pnl_usd:
            for cell in row:
                assert usd(cell) in words


def test_the_worst_scenario_is_the_first_of_its_chart_and_table():
    text = PAGES["explain"]()
    worst = min(made_up.scenarios(), key=lambda s: s.pnl_usd)
    chart = next(d for d in drawings(text) if "worst of" in d[:400])
    bars = re.findall(r"<rect[^>]*><title>([^<]*)</title>", chart)
    assert usd(worst.pnl_usd) in bars[0]
    lengths = [float(w) for w in re.findall(r'<rect [^>]*?width="([\d.]+)" height="14"', chart)]
    assert lengths == sorted(lengths, reverse=True)


def test_liquidation_prices_are_marked_where_they_are():
    chart = next(d for d in drawings(PAGES["explain"]()) if "P&amp;L by the price of BTC" in d[:400])
    edges = [float(x) for x in re.findall(r'<line x1="([\d.]+)"[^>]*class="edge"', chart)]
    zero = float(re.findall(r'<line x1="([\d.]+)" y1="34"[^>]*class="zero"', chart)[-1])
    left, right = 58.0, 614.0
    moves = [-0.6 + 1.6 * (x - left) / (right - left) for x in (*edges, zero)]
    assert moves == pytest.approx([-0.283, 0.61, 0.0], abs=1e-3)


def _hostile(value: object, names: Iterator[str], keep: set[str]) -> object:
    if isinstance(value, dict):
        return {k: v if k in keep else _hostile(v, names, keep) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_hostile(v, names, keep) for v in value]
    return next(names) if isinstance(value, str) else value


def _names() -> Iterator[str]:
    count = 0
    while True:
        yield f"{HOSTILE[count % len(HOSTILE)]}{count}"
        count += 1


@pytest.mark.parametrize(
    ("report", "draw"),
    [
        (made_up.explain_report(), page.explain_page),
        (made_up.margin_report(), page.margin_page),
        (made_up.many_accounts(20), page.margin_page),
        (made_up.simulate_report(), page.simulate_page),
        (made_up.stress_report(), page.stress_page),
    ],
    ids=["explain", "margin", "many", "simulate", "stress"],
)
def test_hostile_names_are_only_text(report, draw):
    spoiled = _hostile(msgspec.to_builtins(report), _names(), {"status", "mode"})
    text = draw(msgspec.convert(spoiled, type(report)))
    read = Page(text)
    assert len(read.every("script")) == 1
    assert not read.every("img")
    for _, attributes in read.tags:
        assert not any(name.startswith("on") for name in attributes)
    assert "\x1b" not in text
    assert "\x00" not in text
    for drawing in drawings(text):
        ET.fromstring(drawing)
    assert "<script>alert(1)</script>" in read.words


def test_the_gauge_stands_at_the_ratio():
    text = PAGES["explain"]()
    account = made_up.account()
    drawing = next(d for d in drawings(text) if "Margin ratio" in d[:400])
    x = float(re.findall(r'<line x1="([\d.]+)"[^>]*class="needle"', drawing)[0])
    assert (x - 2.0) / 616.0 * 1.4 == pytest.approx(account.margin_ratio, abs=1e-4)
    assert percent(account.margin_ratio) in drawing


@pytest.mark.parametrize("equity", [-10.0, 0.0])
def test_an_account_without_equity_is_in_liquidation_and_says_so(equity):
    broke = msgspec.structs.replace(
        made_up.account(), equity_usd=equity, margin_ratio=None, status="liquidation", excess_initial_usd=equity - 2.5e6
    )
    words = Page(page.margin_page(made_up.margin_report(broke))).words
    assert "no equity" in words
    assert "It is in liquidation" in words


def test_an_account_without_anything_has_a_page():
    empty = msgspec.structs.replace(
        made_up.account(),
        pools=(),
        equity_usd=0.0,
        initial_usd=0.0,
        maintenance_usd=0.0,
        excess_initial_usd=0.0,
        margin_ratio=0.0,
    )
    bare = made_up.explain_report(
        account=empty,
        groups=(),
        by_group=(),
        distances=(),
        frontiers=(),
        capacity=(),
        spot_curves=(),
        risk_arrays=(),
        change=None,
    )
    for text in (page.explain_page(bare, made_up.snapshot()), page.margin_page(made_up.margin_report(empty))):
        read = Page(text)
        assert "has to hold nothing" in read.words
        for drawing in drawings(text):
            ET.fromstring(drawing)


def test_flat_figures_draw():
    """Nothing moves, nothing is found: scales without a span."""
    report = made_up.explain_report()
    zero = msgspec.structs.replace(
        report,
        risk_arrays=tuple(msgspec.structs.replace(a, pnl_usd=((0.0,) * 3,) * 9) for a in report.risk_arrays),
        spot_curves=tuple(msgspec.structs.replace(c, pnl_usd=(0.0,) * 65) for c in report.spot_curves),
        frontiers=tuple(msgspec.structs.replace(f, points=(None,) * 16) for f in report.frontiers),
        distances=tuple(msgspec.structs.replace(d, below=None, above=None) for d in report.distances),
        groups=tuple(
            msgspec.structs.replace(
                g,
                scenarios=tuple(msgspec.structs.replace(s, pnl_usd=0.0) for s in g.scenarios),
                positions=tuple(msgspec.structs.replace(p, euler_usd=0.0, marginal_usd=0.0) for p in g.positions),
            )
            for g in report.groups
        ),
    )
    text = page.explain_page(zero)
    for drawing in drawings(text):
        assert not re.search(r"\bnan\b", drawing)
        ET.fromstring(drawing)


def test_the_same_report_gives_the_same_page():
    assert PAGES["explain"]() == PAGES["explain"]()
