"""The worked margin call of the README, done again by hand: with `math` alone, and with the product."""

import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import crossmargin as xm
from crossmargin.market.snapshot import bump

# What the README says is held, and the parameters it names.
PUTS, STRIKE, TENOR = 2.0, 75_000.0, 30.0 / 365.0
HEDGE, ENTRY = 0.6, 79_000.0
USDC, WBTC, WBTC_PRICE = 6_000.0, 0.15, 0.999
HAIRCUT = {"USDC": 0.005, "WBTC": 0.13}
SPOT, VOL = 80_000.0, 0.5
DAILY_VOL, VOLUME = 0.025, 2e10
RANGE, VOL_UP, SCAN_IM, BASIS_IM = 0.16, 0.45, 1.25, 1.25


def cumulative(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def d1_d2(forward: float, vol: float) -> tuple[float, float]:
    total = vol * math.sqrt(TENOR)
    d1 = math.log(forward / STRIKE) / total + total / 2.0
    return d1, d1 - total


def put(forward: float, vol: float) -> float:
    d1, d2 = d1_d2(forward, vol)
    return STRIKE * cumulative(-d2) - forward * cumulative(-d1)


def vega(forward: float, vol: float) -> float:
    d1, _ = d1_d2(forward, vol)
    return forward * math.exp(-d1 * d1 / 2.0) / math.sqrt(2.0 * math.pi) * math.sqrt(TENOR)


def by_hand(spot: float) -> dict[str, float]:
    """The account when BTC stands at `spot`, term by term."""
    wbtc = WBTC * spot * WBTC_PRICE
    equity = USDC * (1.0 - HAIRCUT["USDC"]) + wbtc * (1.0 - HAIRCUT["WBTC"])
    equity -= HEDGE * (spot - ENTRY) + PUTS * put(spot, VOL)
    losses = {
        x: PUTS * (put(spot * (1.0 + x), VOL * (1.0 + VOL_UP)) - put(spot, VOL)) + HEDGE * x * spot
        for x in (-RANGE, RANGE)
    }
    scan = max(losses.values())
    long, short = PUTS * spot * cumulative(-d1_d2(spot, VOL)[0]), HEDGE * spot
    matched, net = min(long, short), abs(long - short)
    liquidity = PUTS * vega(spot, VOL) * 0.005 + short * 1e-4 + DAILY_VOL * net * math.sqrt(net / VOLUME)
    basis = 0.005 * matched + 0.01 * TENOR * matched
    taken = USDC * HAIRCUT["USDC"] + wbtc * HAIRCUT["WBTC"]
    joint = max(loss - x * wbtc for x, loss in losses.items())
    beyond = max(joint - scan - taken, 0.0)
    wrong_way = beyond * min(1.0, scan / (equity - beyond))
    common = liquidity + wrong_way
    return {
        "equity": equity,
        "scan": scan,
        "liquidity": liquidity,
        "basis": basis,
        "wrong_way": wrong_way,
        "beyond": beyond,
        "initial": SCAN_IM * scan + BASIS_IM * basis + common,
        "maintenance": scan + basis + common,
    }


def figures(market: xm.Snapshot) -> dict[str, float]:
    """The same from the product."""
    book = xm.read_book("examples/call-book.toml", market=market)
    account = xm.margin_report(xm.margin(book, market, xm.read_model())).accounts[0]
    pool = account.pools[0]
    found = {t.name: t.maintenance for t in (*pool.terms, *pool.groups[0].terms)}
    return found | {
        "equity": account.equity_usd,
        "initial": account.initial_usd,
        "maintenance": account.maintenance_usd,
    }


@pytest.fixture(scope="module", autouse=True)
def in_repository(repository: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        yield


@pytest.fixture(scope="module")
def market() -> xm.Snapshot:
    return xm.read_market("examples/call-market.toml")


@pytest.fixture(scope="module")
def section(repository: Path) -> str:
    text = (repository / "README.md").read_text(encoding="utf-8")
    return text.partition("## A worked margin call")[2].partition("\n## ")[0]


@pytest.mark.parametrize("spot", [80_000.0, 77_898.15130275353, 70_000.0])
def test_the_product_gets_what_the_hand_gets(market, spot):
    hand, found = by_hand(spot), figures(bump(market, {"spot:BTC": spot / SPOT - 1.0}))
    for name in ("equity", "scan", "liquidity", "basis", "wrong_way", "initial", "maintenance"):
        assert found[name] == pytest.approx(hand[name], abs=2e-3), name


def test_liquidation_prices_are_where_equity_meets_maintenance(market, section):
    book = xm.read_book("examples/call-book.toml", market=market)
    edge = xm.explain(book, market, xm.read_model(), account="desk").distances[0]
    for price in (edge.below, edge.above):
        assert f"**{price:,.0f}**" in section
        at = figures(bump(market, {"spot:BTC": price / SPOT - 1.0}))
        assert at["equity"] == pytest.approx(at["maintenance"], abs=1e-4)
    assert by_hand(edge.below)["equity"] == pytest.approx(by_hand(edge.below)["maintenance"], abs=1e-3)
    assert f"where both are {by_hand(edge.below)['equity']:,.0f}" in section


def said() -> dict[str, float | str]:
    """Every number that the section may say beside those of the files: name and figure."""
    hand = by_hand(SPOT)
    d1, d2 = d1_d2(SPOT, VOL)
    wbtc = WBTC * SPOT * WBTC_PRICE
    return {
        "d1": f"{d1:.4f}",
        "d2": f"{d2:.4f}",
        "N(-d1)": f"{cumulative(-d1):.6f}",
        "N(-d2)": f"{cumulative(-d2):.6f}",
        "put": f"{put(SPOT, VOL):,.2f}",
        "puts": f"{PUTS * put(SPOT, VOL):,.2f}",
        "put in the worst scenario": f"{put(SPOT * (1 - RANGE), VOL * (1 + VOL_UP)):,.2f}",
        "price in the worst scenario": f"{SPOT * (1 - RANGE):,.0f}",
        "usdc": f"{USDC * (1 - HAIRCUT['USDC']):,.0f}",
        "wbtc": f"{wbtc * (1 - HAIRCUT['WBTC']):,.2f}",
        "wbtc gross": f"{wbtc:,.0f}",
        "wbtc loss": f"{wbtc * RANGE:,.2f}",
        "wbtc haircut": f"{wbtc * HAIRCUT['WBTC']:,.2f}",
        "unsettled": f"{HEDGE * (SPOT - ENTRY):,.0f}",
        "vega": f"{vega(SPOT, VOL):,.2f}",
        "matched": f"{HEDGE * SPOT:,.0f}",
        "sold": f"{PUTS * SPOT:,.0f}",
        "call": f"{hand['initial'] - hand['equity']:,.2f}",
        "ratio": f"{100 * hand['maintenance'] / hand['equity']:.1f}",
    } | {name: f"{hand[name]:,.2f}" for name in hand}


@pytest.mark.parametrize("name", said())
def test_the_readme_says_the_figure(section, name):
    assert re.search(rf"(?<![\d.,]){re.escape(str(said()[name]))}(?![\d]|[.,]\d)", section), said()[name]


def test_the_readme_says_no_other_figure(section):
    """A figure with cents or thousands that no computation above gives is a stale one."""
    stated = {"75,000", "79,000", "80,000", "6,000", "77,898", "93,128"}
    at_edge = f"{by_hand(77_898.15130275353)['equity']:,.0f}"
    known = stated | set(said().values()) | {at_edge}
    found = set(re.findall(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d{2,}", section.replace("0.0485", "")))
    assert {x for x in found if float(x.replace(",", "")) >= 1.0} <= known | {"1.25"}


def test_scenarios_are_as_many_as_it_says(market, section):
    book = xm.read_book("examples/call-book.toml", market=market)
    result = xm.margin(book, market, xm.read_model())
    assert f"Of {len(result.plan.scenarios)} scenarios" in section
    assert result.plan.scenarios.labels[int(result.groups.worst[0])] == "BTC -16.0 %, vol up"


def test_commands_of_the_section_run_and_mend_the_call(section):
    commands = re.findall(r"^crossmargin .*$", section, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        run = [sys.executable, "-c", "from crossmargin.cli.main import main; main()", *shlex.split(command)[1:]]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "healthy" in done.stdout


def test_python_of_the_readme_runs(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})


def test_commands_of_the_readme_exist(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    for command in set(re.findall(r"`crossmargin (market \w+|\w+) ", text)):
        run = [sys.executable, "-c", "from crossmargin.cli.main import main; main()", *command.split(), "--help"]
        assert subprocess.run(run, capture_output=True, check=False).returncode == 0, command
