"""Made-up reports of the size and shape of a real desk, for tests of what people read."""

import math
from dataclasses import replace as _replace

import msgspec
import numpy as np

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
    PositionLine,
    Provenance,
    RiskArray,
    ScenarioLine,
    Share,
    SimulateReport,
    SpotCurve,
    StressAccount,
    StressReport,
    Term,
)
from crossmargin.market.curve import ForwardCurve
from crossmargin.market.snapshot import Snapshot, Underlying
from crossmargin.market.surface import VolSurface

AS_OF_MS = 1_774_971_000_000
DAY_NS = 86_400 * 10**9
SPOTS = {"BTC": 71_423.5, "ETH": 2_143.2, "SPX": 5_321.25, "EUR": 1.0823}
PORTFOLIO_TERMS = (
    ("scan", 1_765_375.0, 1_412_300.0),
    ("offset_cap", 184_200.0, 147_360.0),
    ("jump", 0.0, 0.0),
    ("liquidity", 96_410.0, 96_410.0),
    ("concentration", 210_730.0, 210_730.0),
    ("basis", 58_240.0, 46_592.0),
    ("short_option", 0.0, 0.0),
    ("oracle", 21_800.0, 21_800.0),
)


def provenance() -> Provenance:
    return Provenance(
        version="0.1.0",
        as_of_ms=AS_OF_MS,
        model="crossmargin-grid",
        model_hash="9b1f4c" * 10 + "9b1f",
        snapshot_hash="1c77ae" * 10 + "1c77",
        scenario_hash="e00d19" * 10 + "e00d",
        book_hash="47a2b8" * 10 + "47a2",
        scenarios=411,
        measure="worst",
    )


def terms(rows=PORTFOLIO_TERMS) -> tuple[Term, ...]:
    return tuple(Term(name=name, initial=im, maintenance=mm) for name, im, mm in rows)


def holding(asset, chain, issuer, amount, price, haircut, capped=0.0) -> CollateralLine:
    gross = amount * price
    off = haircut * abs(gross)
    return CollateralLine(
        asset=asset,
        chain=chain,
        issuer=issuer,
        amount=amount,
        price_usd=price,
        gross_usd=gross,
        haircut_usd=off,
        capped_usd=capped,
        recognised_usd=gross - off - capped,
        held_usd=gross - off - capped,
    )


def collateral() -> tuple[CollateralLine, ...]:
    return (
        holding("USDC", "eip155:1", "Circle", 1_250_000.0, 0.9998, 0.005),
        holding("USDC", "eip155:42161", "Circle", 480_000.0, 0.9998, 0.005),
        holding("USDT", "eip155:1", "Tether", 310_000.0, 1.0001, 0.01),
        holding("USDT", "tron:0x2b6653dc", "Tether", 125_000.0, 1.0001, 0.01),
        holding("WBTC", "eip155:1", "BitGo", 6.5, 71_350.0, 0.13, capped=41_000.0),
        holding("wstETH", "eip155:42161", "Lido", 190.0, 2_571.4, 0.15),
        holding("ETH", "eip155:8453", "", 120.0, 2_143.2, 0.12),
        holding("BTC", "bip122:000000000019d6689c085ae165831e93", "", 4.2, 71_423.5, 0.10),
        holding("EUR", "", "", 200_000.0, 1.0823, 0.03),
        holding("USD", "", "", -85_000.0, 1.0, 0.0),
    )


def account(ident: str = "desk-1", status: str = "healthy", equity: float = 3_214_840.12) -> AccountReport:
    portfolio = GroupReport(
        id="options-and-hedges",
        mode="portfolio",
        initial_usd=sum(t.initial for t in terms()),
        maintenance_usd=sum(t.maintenance for t in terms()),
        terms=terms(),
        worst_scenario="BTC -16.0 %, vol up",
        worst_loss_usd=1_412_300.0,
        positions=14,
        orders=2,
    )
    cross = GroupReport(
        id="perps",
        mode="cross",
        initial_usd=64_000.0,
        maintenance_usd=32_000.0,
        terms=terms((("rule", 60_500.0, 28_500.0), ("oracle", 3_500.0, 3_500.0))),
        worst_scenario="",
        worst_loss_usd=0.0,
        positions=2,
        orders=0,
    )
    shared = pool("shared", "", equity, (portfolio, cross), collateral())
    side = GroupReport(
        id="sol-punt",
        mode="isolated",
        initial_usd=12_000.0,
        maintenance_usd=6_000.0,
        terms=terms((("rule", 12_000.0, 6_000.0),)),
        worst_scenario="",
        worst_loss_usd=0.0,
        positions=1,
        orders=0,
    )
    isolated = pool(
        "sol-punt", "USDC", 9_400.0, (side,), (holding("USDC", "eip155:1", "Circle", 11_000.0, 1.0, 0.005),)
    )
    initial = shared.initial_usd + isolated.initial_usd
    maintenance = shared.maintenance_usd + isolated.maintenance_usd
    total = shared.equity_usd + isolated.equity_usd
    return AccountReport(
        id=ident,
        equity_usd=total,
        held_equity_usd=total,
        initial_usd=initial,
        maintenance_usd=maintenance,
        excess_initial_usd=total - initial,
        margin_ratio=maintenance / total if total > 0 else None,
        status=status,
        pools=(shared, isolated),
    )


def pool(ident, asset, equity, groups, lines) -> PoolReport:
    wrong_way = terms((("wrong_way", 132_900.0, 132_900.0),)) if len(groups) > 1 else ()
    initial = sum(g.initial_usd for g in groups) + sum(t.initial for t in wrong_way)
    maintenance = sum(g.maintenance_usd for g in groups) + sum(t.maintenance for t in wrong_way)
    held = sum(line.recognised_usd for line in lines)
    return PoolReport(
        id=ident,
        asset=asset,
        equity_usd=equity,
        held_equity_usd=equity,
        collateral_usd=held,
        unsettled_usd=18_230.0,
        position_value_usd=equity - held - 18_230.0,
        initial_usd=initial,
        maintenance_usd=maintenance,
        excess_initial_usd=equity - initial,
        excess_maintenance_usd=equity - maintenance,
        margin_ratio=maintenance / equity if equity > 0 else None,
        status="healthy" if equity >= initial else "restricted" if equity >= maintenance else "liquidation",
        terms=wrong_way,
        groups=groups,
        collateral=lines,
    )


def scenarios() -> tuple[ScenarioLine, ...]:
    lines = [ScenarioLine(label="nothing moves", family="price", pnl_usd=0.0)]
    size = {"BTC": 0.16, "ETH": 0.16, "SPX": 0.08, "EUR": 0.03}
    weight = {"BTC": 1.0, "ETH": 0.55, "SPX": 0.3, "EUR": 0.08}
    for name, span in size.items():
        for step in range(-4, 5):
            for vol, word in ((-1, "down"), (0, "same"), (1, "up")):
                x = span * step / 4
                pnl = weight[name] * (2.6e6 * x - 1.9e7 * x * x - 6.0e5 * vol * 0.4 - 3e5 * (vol == 1))
                lines.append(ScenarioLine(label=f"{name} {100 * x:+.1f} %, vol {word}", family="price", pnl_usd=pnl))
        for kind in ("skew", "smile"):
            lines += [
                ScenarioLine(label=f"{name} {kind} {x:+.1f} %", family=kind, pnl_usd=-9e3 * x * weight[name])
                for x in (-10.0, 10.0)
            ]
        lines.append(ScenarioLine(label=f"{name} carry up", family="carry", pnl_usd=-41_000.0 * weight[name]))
        lines.append(ScenarioLine(label=f"{name} -66.0 % × 0.0485", family="tail", pnl_usd=-390_000.0 * weight[name]))
    for step in (-4, -2, 2, 4):
        label = f"all {step:+d}/4 of range by beta, vol up"
        lines.append(ScenarioLine(label=label, family="joint", pnl_usd=-1.31e6 if step == -4 else 9e4 * step))
    label = "BTC -16.0 %, ETH -16.0 % (closer) × 0.976"
    lines.append(ScenarioLine(label=label, family="pair", pnl_usd=-1_398_200.0))
    lines.append(ScenarioLine(label="BTC -16.0 %, SPX +8.0 % (apart) × 0.645", family="pair", pnl_usd=-1_377_450.0))
    lines.append(ScenarioLine(label="USD rates up", family="rate", pnl_usd=-33_120.0))
    lines.append(ScenarioLine(label="all stable assets -2.0 %", family="peg", pnl_usd=-43_300.0))
    return tuple(lines)


POSITIONS = (
    ("BTC-27MAR26-60000-P.DERIBIT", "BTC", -120.0, 0.0312, 812_300.0),
    ("BTC-26JUN26-90000-C.DERIBIT", "BTC", 85.0, 0.0411, -214_000.0),
    ("BTC-26JUN26-55000-P.DERIBIT", "BTC", -40.0, 0.0208, 301_550.0),
    ("BTC-PERPETUAL.DERIBIT", "BTC", -1_250_000.0, 71_430.5, -178_300.0),
    ("BTC-26JUN26.DERIBIT", "BTC", 2_400_000.0, 72_180.0, 366_020.0),
    ("ETH-26JUN26-2000-P.DERIBIT", "ETH", -900.0, 0.0611, 198_700.0),
    ("ETH-PERPETUAL.DERIBIT", "ETH", 400_000.0, 2_144.1, 64_300.0),
    ("ETH_USDC-PERPETUAL.DERIBIT", "ETH", -150.0, 2_143.9, -51_200.0),
    ("ETH-25SEP26-3000-C.DERIBIT", "ETH", 1_200.0, 0.0334, -24_100.0),
    ("ESM6.CME", "SPX", 12.0, 5_344.25, 92_400.0),
    ("ESM6-5000-P.CME", "SPX", -20.0, 41.5, 61_900.0),
    ("EURUSD-26JUN26.OTC", "EUR", 1_500_000.0, 1.0861, 3_730.0),
    ("rates-ladder-7.OTC", "USD-RATES", 1.0, 0.0, -21_000.0),
    ("SOL-PERPETUAL.DERIBIT", "SOL", 300.0, 131.2, 0.0),
)


def positions() -> tuple[PositionLine, ...]:
    return tuple(
        PositionLine(
            instrument=instrument,
            underlying=underlying,
            quantity=quantity,
            price=price,
            value_usd=quantity * 2_000.0 if "-P." in instrument or "-C." in instrument else 0.0,
            delta_usd=3.1 * euler,
            gamma_usd=-0.04 * euler,
            vega_usd=-0.011 * euler,
            theta_usd=0.006 * euler,
            euler_usd=euler,
            marginal_usd=0.83 * euler - 12_000.0,
        )
        for instrument, underlying, quantity, price, euler in POSITIONS
    )


def shares() -> tuple[Share, ...]:
    sums: dict[str, float] = {}
    for p in positions():
        sums[p.underlying] = sums.get(p.underlying, 0.0) + p.euler_usd
    return tuple(Share(name=n, euler_usd=v, marginal_usd=0.9 * v - 5_000.0) for n, v in sums.items())


def risk_arrays() -> tuple[RiskArray, ...]:
    moves = tuple(0.04 * i for i in range(-4, 5))
    vols = (-0.25, 0.0, 0.45)
    return tuple(
        RiskArray(
            underlying=name,
            moves=moves,
            vol_moves=vols,
            pnl_usd=tuple(tuple(w * (2.6e6 * x - 1.9e7 * x * x - 9.0e5 * v) for v in vols) for x in moves),
        )
        for name, w in (("all", 1.4), ("BTC", 1.0), ("ETH", 0.5), ("SPX", 0.2))
    )


def spot_curves() -> tuple[SpotCurve, ...]:
    moves = tuple(float(x) for x in np.linspace(-0.6, 1.0, 65))
    return tuple(
        SpotCurve(underlying=name, moves=moves, pnl_usd=tuple(w * (5.1e6 * x - 9.0e6 * x * x) for x in moves))
        for name, w in (("BTC", 1.0), ("ETH", 0.45), ("SPX", -0.2), ("EUR", 0.03))
    )


def distances() -> tuple[Distance, ...]:
    found = {"BTC": (0.717, 1.61), "ETH": (0.38, None), "SPX": (None, 1.52), "EUR": (None, None)}
    return tuple(
        Distance(
            pool="shared",
            underlying=name,
            price=spot,
            below=None if found[name][0] is None else spot * found[name][0],
            above=None if found[name][1] is None else spot * found[name][1],
            searched_from=0.05 * spot,
            searched_to=4.0 * spot,
        )
        for name, spot in SPOTS.items()
    )


def frontier(first: str = "BTC", second: str = "ETH") -> Frontier:
    angles = [2 * math.pi * i / 72 for i in range(72)]
    points = [
        (0.42 * math.cos(a) / (1 - 0.35 * math.cos(a - 3.6)), 0.75 * math.sin(a) / (1 - 0.3 * math.cos(a - 3.6)))
        if not 0.2 < a < 1.1
        else None
        for a in angles
    ]
    return Frontier(pool="shared", first=first, second=second, points=tuple(points))


def capacity() -> tuple[Capacity, ...]:
    return tuple(
        Capacity(group="options-and-hedges", instrument=p[0], buy=None if i % 5 == 3 else 40.0 * i, sell=12.5 * i)
        for i, p in enumerate(POSITIONS)
    )


def explain_report(ident: str = "desk-1", **fields) -> ExplainReport:
    report = ExplainReport(
        provenance=provenance(),
        account=account(ident),
        groups=(
            GroupExplanation(
                id="options-and-hedges", scenarios=scenarios(), positions=positions(), underlyings=shares()
            ),
        ),
        by_group=(
            Share(name="options-and-hedges", euler_usd=1_412_300.0, marginal_usd=2_469_655.0),
            Share(name="perps", euler_usd=0.0, marginal_usd=64_000.0),
        ),
        distances=distances(),
        frontiers=(frontier(), frontier("BTC", "SPX")),
        capacity=capacity(),
        spot_curves=spot_curves(),
        risk_arrays=risk_arrays(),
        change=Change(
            before_initial_usd=2_210_000.0,
            after_initial_usd=2_545_655.0,
            positions_usd=412_000.0,
            market_usd=-96_345.0,
            parameters_usd=20_000.0,
        ),
    )
    return msgspec.structs.replace(report, **fields)


def margin_report(*accounts: AccountReport) -> MarginReport:
    return MarginReport(provenance=provenance(), accounts=accounts or (account(),))


def many_accounts(count: int) -> MarginReport:
    made = []
    for i in range(count):
        equity = 2_000_000.0 + 97_003.0 * (i % 37)
        status = "healthy" if equity > 2.55e6 else "restricted" if equity > 2.12e6 else "liquidation"
        made.append(account(f"account-{i:05d}", status, equity))
    return margin_report(*made)


def simulate_report() -> SimulateReport:
    before = account()
    raised = tuple(
        msgspec.structs.replace(t, initial=1.12 * t.initial, maintenance=1.1 * t.maintenance) for t in terms()
    )
    first = before.pools[0]
    changed = msgspec.structs.replace(first.groups[0], terms=raised, worst_scenario="all -4/4 of range by beta, vol up")
    pool_after = msgspec.structs.replace(
        first, groups=(changed, *first.groups[1:]), initial_usd=2_850_000.0, equity_usd=3_180_000.0
    )
    after = msgspec.structs.replace(
        before,
        pools=(pool_after, *before.pools[1:]),
        initial_usd=2_862_000.0,
        maintenance_usd=2_270_000.0,
        equity_usd=3_189_400.0,
        excess_initial_usd=327_400.0,
        margin_ratio=2_270_000.0 / 3_189_400.0,
    )
    added = ("-25 BTC-26JUN26-50000-P.DERIBIT", "100,000 USDC")
    return SimulateReport(provenance=provenance(), added=added, before=before, after=after)


def stress_report() -> StressReport:
    shocks = (
        ("Black Thursday 2020-03-12", -4_910_000.0),
        ("FTX week 2022-11", -1_920_300.0),
        ("USDC off its peg 2023-03-11", -212_000.0),
        ("Arbitrum halts", -71_000.0),
        ("Melt-up", 912_000.0),
        ("Vol crush", 640_500.0),
        ("Rates +100 bp", -66_240.0),
    )
    lines = tuple(ScenarioLine(label=label, family="named", pnl_usd=pnl) for label, pnl in shocks)
    stressed = StressAccount(id="desk-1", equity_usd=3_224_240.12, lines=lines, risk_arrays=risk_arrays())
    return StressReport(provenance=provenance(), accounts=(stressed,))


def snapshot() -> Snapshot:
    """BTC, ETH and a normal surface of SPX; no more than the smiles need."""
    now = AS_OF_MS * 1_000_000
    expiries = np.array([now + d * DAY_NS for d in (2, 9, 30, 87, 178, 269)], dtype=np.int64)
    tau = (expiries - now) / (365 * DAY_NS)

    def made(name: str, spot: float, vol: float, *, lognormal: bool = True) -> Underlying:
        level = vol * vol * tau
        wing = 0.35 * np.sqrt(level) * vol
        params = np.stack(
            [0.72 * level, 0.9 * wing, np.full_like(tau, -0.25), 0.1 * np.sqrt(level), 0.9 * np.sqrt(level)], axis=1
        )
        surface = VolSurface(
            time_ns=now, expiry_ns=expiries, params=params, lognormal=lognormal, scale=1.0 if lognormal else spot
        )
        curve = ForwardCurve(
            time_ns=now, spot=spot, expiry_ns=expiries, forward=spot * np.exp(0.04 * tau), lognormal=lognormal
        )
        return Underlying(
            name=name,
            kind="spot",
            risk_class="crypto_major",
            quote="USD",
            curve=curve,
            surface=surface,
            liquidity=None,
            funding_daily=0.0,
            uncertainty=0.0,
        )

    bitcoin, ether, index = (
        made("BTC", 71_423.5, 0.51),
        made("ETH", 2_143.2, 0.72),
        made("SPX", 5_321.25, 0.18, lognormal=False),
    )
    bare = _replace(made("EUR", 1.0823, 0.08), surface=None)
    return Snapshot(
        time_ns=now,
        underlyings={u.name: u for u in (bitcoin, ether, index, bare)},
        assets={},
        rates={},
        marks={},
        correlation_names=(),
        correlation=np.eye(0),
    )
