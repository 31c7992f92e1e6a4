"""The sensitivity-based margin, plainly: every pair of factors, one portfolio. Reference, section 22.

`rows` are dicts of `product_class`, `risk_type`, `qualifier`, `bucket`, `label1`, `label2`, `amount_usd`; `p` is a
parameter set as plain dicts, with horizons as text.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

Row = dict[str, Any]
Table = dict[str, Any]
CLASSES = ("rates", "credit_qualifying", "credit_non_qualifying", "equity", "commodity", "fx")
TYPES = {
    "rates": ("Risk_IRCurve", "Risk_Inflation", "Risk_XCcyBasis", "Risk_IRVol", "Risk_InflationVol"),
    "credit_qualifying": ("Risk_CreditQ", "Risk_CreditVol", "Risk_BaseCorr"),
    "credit_non_qualifying": ("Risk_CreditNonQ", "Risk_CreditVolNonQ"),
    "equity": ("Risk_Equity", "Risk_EquityVol"),
    "commodity": ("Risk_Commodity", "Risk_CommodityVol"),
    "fx": ("Risk_FX", "Risk_FXVol"),
}
Q99, Q995 = 2.3263478740408408, 2.5758293035489004
UNITS = {"w": 7.0, "m": 365.0 / 12.0, "y": 365.0}


def total(rows: list[Row], p: Table, *, horizon: int = 10, currency: str = "USD") -> float:
    """Product classes each times its multiplier, fixed add-ons, and factors times notionals; USD."""
    result = 0.0
    for product in ("RatesFX", "Credit", "Equity", "Commodity"):
        mine = [r for r in rows if r.get("product_class") == product and r["risk_type"].startswith("Risk_")]
        multiplier = 1.0
        for r in rows:
            if r["risk_type"] == "Param_ProductClassMultiplier" and r["qualifier"] == product:
                multiplier = r["amount_usd"]
        result += multiplier * product_margin(mine, p, horizon=horizon, currency=currency)
    for r in rows:
        if r["risk_type"] == "Param_AddOnFixedAmount":
            result += r["amount_usd"]
        if r["risk_type"] == "Param_AddOnNotionalFactor":
            named = [n for n in rows if n["risk_type"] == "Notional" and n["qualifier"] == r["qualifier"]]
            result += r["amount_usd"] / 100.0 * sum(abs(n["amount_usd"]) for n in named)
    return result


def product_margin(rows: list[Row], p: Table, *, horizon: int, currency: str) -> float:
    """√(Σ ψ IM IM) over risk classes."""
    im = [sum(class_margin(rows, name, p, horizon=horizon, currency=currency)) for name in CLASSES]
    psi = p["risk_class_correlation"]
    return math.sqrt(max(0.0, sum(psi[i][j] * im[i] * im[j] for i in range(6) for j in range(6))))


def class_margin(rows: list[Row], name: str, p: Table, *, horizon: int, currency: str) -> tuple[float, ...]:
    """Delta, vega, curvature and base correlation of one risk class."""
    mine = [r for r in rows if r["risk_type"] in TYPES[name]]
    capped = str(horizon) in p["concentrated"]
    if name == "rates":
        return _rates(mine, p["rates"], horizon, capped)
    if name == "fx":
        return _fx(mine, p["fx"], horizon, currency, capped)
    return _bucketed(mine, name, p[name], horizon, capped)


def scaling(label: str, horizon: int) -> float:
    """SF(t) = ½ min(1, 1.4h/t)."""
    return 0.5 * min(1.0, 1.4 * horizon / (int(label[:-1]) * UNITS[label[-1]]))


def sigma(weight: float, horizon: int) -> float:
    """RW √(365/1.4h)/Φ⁻¹(0.99)."""
    return weight * math.sqrt(365.0 / (1.4 * horizon)) / Q99


def ratio(amount: float, threshold_millions: float, *, capped: bool) -> float:
    """CR = max(1, √(|Σs|/T))."""
    return max(1.0, math.sqrt(abs(amount) / (1e6 * threshold_millions))) if capped else 1.0


def overlap(a: float, b: float) -> float:
    """f = min/max."""
    return min(a, b) / max(a, b)


def clamp(value: float, most: float) -> float:
    """Between −K and K."""
    return max(min(value, most), -most)


def curvature(values: list[float], spread: float) -> float:
    """max(0, Σ + λ·spread), θ = min(0, Σ/Σ|·|), λ = (Φ⁻¹(0.995)² − 1)(1 + θ) − θ."""
    size = sum(abs(v) for v in values)
    theta = min(0.0, sum(values) / size) if size else 0.0
    weight = (Q995**2 - 1.0) * (1.0 + theta) - theta
    return max(0.0, sum(values) + weight * spread)


def group_of(groups: Table, name: str) -> str:
    """The group that lists a currency, or the one that lists all others."""
    for group, names in groups["groups"].items():
        if name in names:
            return str(group)
    return next(str(group) for group, names in groups["groups"].items() if "Other" in names)


def _root(square: float) -> float:
    return math.sqrt(max(0.0, square))


def _rates(rows: list[Row], r: Table, horizon: int, capped: bool) -> tuple[float, ...]:
    w = r["weights"][str(horizon)]
    buckets: dict[str, dict[tuple[str, str, str], float]] = defaultdict(lambda: defaultdict(float))
    vegas: dict[str, dict[tuple[str, str, str], float]] = defaultdict(lambda: defaultdict(float))
    bent: dict[str, dict[tuple[str, str, str], float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        kind, ccy, amount = row["risk_type"], row["qualifier"], row["amount_usd"]
        if kind == "Risk_IRCurve":
            buckets[ccy]["curve", row["label1"], row["label2"]] += amount
        elif kind in ("Risk_Inflation", "Risk_XCcyBasis"):
            buckets[ccy][kind, "", ""] += amount
        else:
            inflation = kind == "Risk_InflationVol"
            key = ("Risk_Inflation", "", "") if inflation else ("curve", row["label1"], "")
            vegas[ccy][key] += amount
            bent[ccy][key] += amount * scaling(row["label1"], horizon)
    delta = _currencies(buckets, r, "delta_threshold", lambda c, k: _rates_weight(r, w, c, k), capped)
    vega = _currencies(vegas, r, "vega_threshold", lambda *_: w["vega"], capped)
    values = [v for factors in bent.values() for v in factors.values()]
    ks = {c: _root(_rates_square(f, r, 2)) for c, f in bent.items()}
    ss = {c: clamp(sum(f.values()), ks[c]) for c, f in bent.items()}
    square = sum(k**2 for k in ks.values())
    square += sum(r["currency_correlation"] ** 2 * ss[a] * ss[b] for a in ss for b in ss if a != b)
    return delta, vega, curvature(values, _root(square)) / w["historical_ratio"] ** 2, 0.0


def _rates_weight(r: Table, w: Table, ccy: str, key: tuple[str, str, str]) -> float:
    if key[0] == "curve":
        return float(w["delta"][group_of(r["volatility"], ccy)][r["tenors"].index(key[1])])
    return float(w["inflation"] if key[0] == "Risk_Inflation" else w["basis"])


def _rates_correlation(r: Table, a: tuple[str, str, str], b: tuple[str, str, str]) -> float:
    if a == b:
        return 1.0
    if "Risk_XCcyBasis" in (a[0], b[0]):
        return float(r["basis_correlation"])
    if "Risk_Inflation" in (a[0], b[0]):
        return float(r["inflation_correlation"])
    rho = r["tenor_correlation"][r["tenors"].index(a[1])][r["tenors"].index(b[1])]
    return float(rho if a[2] == b[2] else rho * r["sub_curve_correlation"])


def _rates_square(factors: dict[tuple[str, str, str], float], r: Table, power: int) -> float:
    return sum(_rates_correlation(r, a, b) ** power * x * y for a, x in factors.items() for b, y in factors.items())


def _currencies(buckets: Any, r: Table, threshold: str, weight: Any, capped: bool) -> float:
    k, s, cr = {}, {}, {}
    for ccy, factors in buckets.items():
        counted = sum(v for key, v in factors.items() if key[0] != "Risk_XCcyBasis")
        cr[ccy] = ratio(counted, r[threshold][group_of(r["concentration"], ccy)], capped=capped)
        ws = {}
        for key, v in factors.items():
            ws[key] = weight(ccy, key) * v * (1.0 if key[0] == "Risk_XCcyBasis" else cr[ccy])
        k[ccy] = _root(_rates_square(ws, r, 1))
        s[ccy] = clamp(sum(ws.values()), k[ccy])
    square = sum(x**2 for x in k.values())
    gamma = r["currency_correlation"]
    square += sum(gamma * overlap(cr[a], cr[b]) * s[a] * s[b] for a in s for b in s if a != b)
    return _root(square)


def _bucketed(rows: list[Row], name: str, b: Table, horizon: int, capped: bool) -> tuple[float, ...]:
    w = b["weights"][str(horizon)]
    credit = name.startswith("credit")
    deltas: dict[tuple[str, ...], float] = defaultdict(float)
    vegas: dict[tuple[str, ...], float] = defaultdict(float)
    bent: dict[tuple[str, ...], float] = defaultdict(float)
    bases: dict[str, float] = defaultdict(float)
    for row in rows:
        kind, bucket, amount = row["risk_type"], row["bucket"], row["amount_usd"]
        key = (bucket, row["qualifier"], *((row["label1"], row["label2"]) if credit else ()))
        if kind == "Risk_BaseCorr":
            bases[row["qualifier"]] += w["base_correlation"] * amount
        elif "Vol" not in kind:
            deltas[key] += amount
        else:
            vol = amount if credit else amount * sigma(w["delta"][bucket], horizon)
            vegas[key] += w["historical_ratio"] * vol
            if bucket not in b["without_curvature"]:
                bent[key] += vol * scaling(row["label1"], horizon)
    delta = _buckets(deltas, name, b, w["delta"], b["delta_threshold"], capped)
    vega = _buckets(vegas, name, b, w["vega"], b["vega_threshold"], capped)
    base = _root(
        sum((1.0 if i == j else b["base_correlation"]) * x * y for i, x in bases.items() for j, y in bases.items())
    )
    return delta, vega, _bucket_curvature(bent, name, b), base


def _names_correlation(name: str, b: Table, x: tuple[str, ...], y: tuple[str, ...]) -> float:
    if x == y:
        return 1.0
    same = x[1] == y[1]
    if name == "credit_non_qualifying":
        same = x[3].lower() == y[3].lower()
    return float(b["same" if same else "different"][x[0]])


def _buckets(
    factors: dict[tuple[str, ...], float], name: str, b: Table, weight: Table, threshold: Table, capped: bool
) -> float:
    issuers: dict[tuple[str, ...], float] = defaultdict(float)
    for key, amount in factors.items():
        issuers[key[:2]] += amount
    cr = {key: ratio(v, threshold[key[0]], capped=capped) for key, v in issuers.items()}
    ws = {key: weight[key[0]] * v * cr[key[:2]] for key, v in factors.items()}
    k, s = {}, {}
    for bucket in {key[0] for key in ws}:
        mine = {key: v for key, v in ws.items() if key[0] == bucket}
        k[bucket] = _root(
            sum(
                _names_correlation(name, b, x, y) * overlap(cr[x[:2]], cr[y[:2]]) * u * v
                for x, u in mine.items()
                for y, v in mine.items()
            )
        )
        s[bucket] = clamp(sum(mine.values()), k[bucket])
    return _across(k, s, b, 1) + k.get("Residual", 0.0)


def _across(k: dict[str, float], s: dict[str, float], b: Table, power: int) -> float:
    ordinary = [bucket for bucket in k if bucket != "Residual"]
    square = sum(k[x] ** 2 for x in ordinary)
    for x in ordinary:
        for y in ordinary:
            if x != y:
                square += b["between"][b["order"].index(x)][b["order"].index(y)] ** power * s[x] * s[y]
    return _root(square)


def _bucket_curvature(bent: dict[tuple[str, ...], float], name: str, b: Table) -> float:
    k, s = {}, {}
    for bucket in {key[0] for key in bent}:
        mine = {key: v for key, v in bent.items() if key[0] == bucket}
        square = sum(_names_correlation(name, b, x, y) ** 2 * u * v for x, u in mine.items() for y, v in mine.items())
        k[bucket] = _root(square)
        s[bucket] = clamp(sum(mine.values()), k[bucket])
    ordinary = [v for key, v in bent.items() if key[0] != "Residual"]
    residual = [v for key, v in bent.items() if key[0] == "Residual"]
    return curvature(ordinary, _across(k, s, b, 2)) + curvature(residual, k.get("Residual", 0.0))


def _fx(rows: list[Row], f: Table, horizon: int, currency: str, capped: bool) -> tuple[float, ...]:
    w = f["weights"][str(horizon)]
    groups = list(f["volatility"]["groups"])
    limits = list(f["concentration"]["groups"])

    def place(ccy: str) -> int:
        return groups.index(group_of(f["volatility"], ccy))

    def limit(ccy: str) -> int:
        return limits.index(group_of(f["concentration"], ccy))

    deltas: dict[str, float] = defaultdict(float)
    vegas: dict[str, float] = defaultdict(float)
    bent: dict[str, float] = defaultdict(float)
    for row in rows:
        name, amount = row["qualifier"], row["amount_usd"]
        if row["risk_type"] == "Risk_FX":
            if name != currency:
                deltas[name] += amount
            continue
        first, second = sorted((name[:3], name[3:]))
        vol = amount * sigma(w["delta"][place(first)][place(second)], horizon)
        vegas[first + second] += w["historical_ratio"] * vol
        bent[first + second] += vol * scaling(row["label1"], horizon)
    home = place(currency)
    cr = {c: ratio(v, f["delta_threshold"][limits[limit(c)]], capped=capped) for c, v in deltas.items()}
    ws = {c: w["delta"][home][place(c)] * v * cr[c] for c, v in deltas.items()}
    rho = f["correlation"][groups[home]]
    square = 0.0
    for a, x in ws.items():
        for b, y in ws.items():
            square += (1.0 if a == b else rho[place(a)][place(b)]) * overlap(cr[a], cr[b]) * x * y
    delta = _root(square)
    cr = {n: ratio(v, f["vega_threshold"][limit(n[:3])][limit(n[3:])], capped=capped) for n, v in vegas.items()}
    ws = {n: w["vega"] * v * cr[n] for n, v in vegas.items()}
    flat = f["vega_correlation"]
    square = sum(
        (1.0 if a == b else flat) * overlap(cr[a], cr[b]) * x * y for a, x in ws.items() for b, y in ws.items()
    )
    spread = _root(sum((1.0 if a == b else flat**2) * x * y for a, x in bent.items() for b, y in bent.items()))
    return delta, _root(square), curvature(list(bent.values()), spread), 0.0
