"""American options on spot with carry, or on futures: spectral collocation of the early-exercise boundary.

Everything is a put on a strike of 1 over a life of 1, given by S/K, R = r·τ, Q = q·τ and v = σ√τ; q is the payout of
the underlying: r less its carry, r itself for a future. A call is the put with S and K, R and Q exchanged (McDonald
and Schroder 1998). The boundary B(t), t the time to expiry, starts at X = min(1, R/Q) and solves

    B(t) = e^(−(R − Q)t)·N(t)/D(t)
    N(t) = Φ(d₋(t, B(t))) + R ∫₀ᵗ e^(Ru) Φ(d₋(t − u, B(t)/B(u))) du
    D(t) = Φ(d₊(t, B(t))) + Q ∫₀ᵗ e^(Qu) Φ(d₊(t − u, B(t)/B(u))) du
    d±(t, z) = (ln z + (R − Q)t)/(v√t) ± v√t/2

by fixed-point steps on (ln B/X)² at Chebyshev points in √t, and the value is the European one plus
∫₀¹ [R e^(−Ru) Φ(−d₋(u, S/B(1 − u))) − Q S e^(−Qu) Φ(−d₊(u, S/B(1 − u)))] du. Where both rates are negative and the
payout the lower, there are two boundaries, and a binomial tree (Leisen and Reimer 1996) prices instead.

Sources: Andersen, Lake and Offengenden (2016), "High-performance American option pricing", Journal of Computational
Finance 20, 39–87 (system B, which converges for every rate and volatility where A does not); first guess: Bjerksund and
Stensland (2002), "Closed form valuation of American options".
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossmargin.core.compile import compiled
from crossmargin.valuation.blocks import uniform
from crossmargin.valuation.kernels.vmath import INV_SQRT_TWO_PI, LARGE, exp_, mills_bottom_, mills_top_, ndtr_

NODES = 7  # Points of the boundary after expiry, where its value is known.
POINTS = 9  # Of the integrals in the fixed-point system, and the term outside them.
STEPS = 6  # Fixed-point steps.
FINAL_POINTS = 16  # Of the integral in the price.
VOL_MIN = 1e-6  # Below it volatility moves no price by a millionth of the strike; what is left is known in advance.
LIMIT_MIN = 1e-9  # A boundary that starts below this share of the strike is reached by nothing.
TREE_STEPS = 501  # Odd, as Leisen and Reimer's inversion needs.
SCRATCH = max(TREE_STEPS + 1, NODES + 1 + 7 * NODES * POINTS)  # Numbers that `american_put_` works on.


def _interpolation(x: ndarray) -> ndarray:
    """Weights of the boundary's nodes [node, …] at places x of (−1, 1) in √t: barycentric, Chebyshev's second kind."""
    nodes = np.cos(np.pi * np.arange(NODES + 1) / NODES)
    x = np.maximum(x, -1.0 + 1e-9)  # Expiry itself is a node, and would divide by 0.
    sign = np.where(np.arange(NODES + 1) % 2 == 0, 1.0, -1.0)
    sign[[0, NODES]] *= 0.5
    weight = sign / (x[..., None] - nodes)
    return np.ascontiguousarray(np.moveaxis(weight / weight.sum(axis=-1, keepdims=True), -1, 0))


ROOT_TIME = 0.5 * (1.0 + np.cos(np.pi * np.arange(NODES) / NODES))  # √t of the nodes, from the whole life down
PLACES, WEIGHTS = np.polynomial.legendre.leggauss(POINTS - 1)
# √((t − u)/t) at the points of each node's integrals, the substitution that takes out the singularity at u = t; the
# last is u = 0, where the term outside the integral stands.
REACH = np.append(0.5 * (1.0 + PLACES), 1.0)
CELLS = NODES * POINTS
WIDTH = (ROOT_TIME[:, None] * REACH).ravel()  # √(t − u) [node · point]
SINCE = (ROOT_TIME[:, None] ** 2 * (1.0 - REACH**2)).ravel()  # u
LENGTH = (ROOT_TIME[:, None] ** 2 * np.append(WEIGHTS * REACH[:-1], 0.0)).ravel()  # du
INSIDE = np.tile(np.append(np.ones(POINTS - 1), 0.0), NODES)  # 1 in an integral, 0 in the term outside
READ = _interpolation(2.0 * np.sqrt(SINCE) - 1.0)  # [node read, node · point]
READ[:, INSIDE == 0.0] = 0.0  # at u = 0 the boundary is X itself
FINAL_PLACES, FINAL_WEIGHTS = np.polynomial.legendre.leggauss(FINAL_POINTS)
FINAL_REACH = 0.5 * (1.0 + FINAL_PLACES)
FINAL_READ = _interpolation(2.0 * np.sqrt(1.0 - FINAL_REACH**2) - 1.0)  # [node read, point]


def american_values(
    spot: Float[ndarray, "option"],
    strike: Float[ndarray, "option"],
    vol: Float[ndarray, "option"],
    tau: Float[ndarray, "option"],
    rate: Float[ndarray, "option"],
    payout: Float[ndarray, "option"],
    right: Float[ndarray, "option"],
) -> Float[ndarray, "option"]:
    """Values of American options, in the currency of `strike`.

    `vol`, `rate` and `payout` (dividend yield, lending fee; the rate itself for an option on a future, whose price is
    then `spot`) are decimals a year, continuously compounded; `tau` in years; `right` +1 call, −1 put."""
    value = np.empty(spot.size)
    _values_loop(
        uniform(spot),
        uniform(strike),
        uniform(vol),
        uniform(tau),
        uniform(rate),
        uniform(payout),
        uniform(right),
        value,
    )
    return value


@compiled()
def _values_loop(
    spot: ndarray,
    strike: ndarray,
    vol: ndarray,
    tau: ndarray,
    rate: ndarray,
    payout: ndarray,
    right: ndarray,
    out: ndarray,
) -> None:
    scratch = np.empty(SCRATCH)
    for i in range(out.size):
        moneyness, v = spot[i] / strike[i], vol[i] * math.sqrt(tau[i])
        grown, paid = rate[i] * tau[i], payout[i] * tau[i]
        if right[i] > 0.0:
            out[i] = spot[i] * american_put_(1.0 / moneyness, paid, grown, v, scratch)
        else:
            out[i] = strike[i] * american_put_(moneyness, grown, paid, v, scratch)


@compiled()
def american_put_(spot: float, rate: float, payout: float, v: float, scratch: ndarray) -> float:
    """Put on a strike of 1 over a life of 1; `scratch` is room for `SCRATCH` numbers."""
    if v < VOL_MIN:
        return _certain_put(spot, rate, payout)
    european = _european_put(spot, rate, payout, v)
    if rate <= 0.0 and payout >= rate:
        return european  # Cash received earlier earns nothing, and what is given up pays no less.
    if rate < 0.0:
        return _tree_put(spot, rate, payout, v, scratch)
    limit = min(1.0, rate / payout) if payout > 0.0 else 1.0
    if limit < LIMIT_MIN:
        return european
    depth = scratch[: NODES + 1]
    _solve_boundary(depth, rate, payout, v, limit, scratch[NODES + 1 :])
    if spot <= limit * math.exp(-math.sqrt(depth[0])):
        return 1.0 - spot
    return max(european + _premium(spot, rate, payout, v, limit, depth), european, 1.0 - spot)


@compiled()
def _european_put(spot: float, rate: float, payout: float, v: float) -> float:
    d = (math.log(spot) + rate - payout) / v + 0.5 * v
    return math.exp(-rate) * ndtr_(v - d) - spot * math.exp(-payout) * ndtr_(-d)


@compiled()
def _certain_put(spot: float, rate: float, payout: float) -> float:
    """The best time to exercise when the spot's path is known: now, at the end, or where the gain stops growing."""
    best = max(1.0 - spot, math.exp(-rate) - spot * math.exp(-payout), 0.0)
    if rate != payout and payout * rate > 0.0:
        t = math.log(rate / (payout * spot)) / (rate - payout)
        if 0.0 < t < 1.0:
            best = max(best, math.exp(-rate * t) - spot * math.exp(-payout * t))
    return best


@compiled()
def _first_guess(rate: float, payout: float, v: float, t: float, limit: float) -> float:
    """ln of the boundary at time t to expiry, by Bjerksund and Stensland's interpolation to the perpetual one.

    Theirs is that of a call on a strike of 1 that earns `payout` and pays `rate`: the reciprocal."""
    variance = v * v
    tilt = 0.5 - (payout - rate) / variance
    power = tilt + math.sqrt(max(tilt * tilt + 2.0 * payout / variance, 0.0))
    far, near = power / max(power - 1.0, 1e-12), 1.0 / limit
    gap = max(far - near, 1e-12)
    pull = ((payout - rate) * t + 2.0 * v * math.sqrt(t)) / (gap * near)
    return -math.log(near + gap * (1.0 - math.exp(-max(pull, 0.0))))


@compiled()
def _solve_boundary(depth: ndarray, rate: float, payout: float, v: float, limit: float, scratch: ndarray) -> None:
    """Fixed-point steps on depth = (ln B/X)² at the nodes; the last node is expiry, where B = X."""
    ceiling = math.log(limit)
    width, drift, above, below = scratch[:CELLS], scratch[CELLS : 2 * CELLS], scratch[2 * CELLS :], scratch[3 * CELLS :]
    for c in range(CELLS):
        width[c] = v * WIDTH[c]
        drift[c] = (rate - payout) * WIDTH[c] * WIDTH[c] + ceiling * (1.0 - INSIDE[c])
        above[c] = 1.0 - INSIDE[c] + rate * LENGTH[c] * exp_(rate * SINCE[c])
        below[c] = 1.0 - INSIDE[c] + payout * LENGTH[c] * exp_(payout * SINCE[c])
    depth[NODES] = 0.0
    for i in range(NODES):
        gap = ceiling - min(_first_guess(rate, payout, v, ROOT_TIME[i] * ROOT_TIME[i], limit), ceiling)
        depth[i] = gap * gap
    for _ in range(STEPS):
        _step(depth, width, drift, above, below, rate - payout, ceiling, scratch[4 * CELLS :])


@compiled()
def _step(
    depth: ndarray,
    width: ndarray,
    drift: ndarray,
    above: ndarray,
    below: ndarray,
    carry: float,
    ceiling: float,
    scratch: ndarray,
) -> None:
    """B = e^(−(R − Q)t)·N/D at every node, all cells of all integrals in one pass: the compiler makes vectors of it."""
    gap, tops, bottoms = scratch[:CELLS], scratch[CELLS : 2 * CELLS], scratch[2 * CELLS : 3 * CELLS]
    for c in range(CELLS):
        gap[c] = math.sqrt(depth[c // POINTS])
        tops[c] = 0.0
    for n in range(NODES):
        for c in range(CELLS):
            tops[c] += READ[n, c] * depth[n]
    for c in range(CELLS):
        d = (math.sqrt(max(tops[c], 0.0)) - gap[c] + drift[c]) / width[c] - 0.5 * width[c]
        tops[c] = above[c] * _normal_cdf(d)
        bottoms[c] = below[c] * _normal_cdf(d + width[c])
    for i in range(NODES):
        top = bottom = 0.0
        for c in range(i * POINTS, (i + 1) * POINTS):
            top += tops[c]
            bottom += bottoms[c]
        if top > 0.0 and bottom > 0.0:
            new = max(ceiling + carry * ROOT_TIME[i] * ROOT_TIME[i] - math.log(top / bottom), 0.0)
            depth[i] = new * new


@compiled(inline=True)
def _normal_cdf(x: float) -> float:
    """As `ndtr_`, without making good the rounding of x² in the far tail."""
    y = min(abs(x), LARGE)
    tail = INV_SQRT_TWO_PI * exp_(-0.5 * y * y) * (mills_top_(y) / mills_bottom_(y))
    return 1.0 - tail if x > 0.0 else tail


@compiled()
def _premium(spot: float, rate: float, payout: float, v: float, limit: float, depth: ndarray) -> float:
    """The early-exercise premium, over u = FINAL_REACH²."""
    ceiling, x, total = math.log(limit), math.log(spot), 0.0
    for k in range(FINAL_POINTS):
        read = 0.0
        for n in range(NODES):
            read += FINAL_READ[n, k] * depth[n]
        u, width = FINAL_REACH[k] * FINAL_REACH[k], v * FINAL_REACH[k]
        low = (x - ceiling + math.sqrt(max(read, 0.0)) + (rate - payout) * u) / width - 0.5 * width
        gain = rate * exp_(-rate * u) * ndtr_(-low) - payout * spot * exp_(-payout * u) * ndtr_(-low - width)
        total += FINAL_WEIGHTS[k] * FINAL_REACH[k] * gain
    return total


@compiled()
def _tree_put(spot: float, rate: float, payout: float, v: float, value: ndarray) -> float:
    """Binomial tree by Leisen and Reimer (1996), "Binomial models for option valuation", Applied Mathematical Finance
    3, 319–346."""
    n = TREE_STEPS
    d = (math.log(spot) + rate - payout) / v + 0.5 * v
    up, share = _inverted(d - v, n), _inverted(d, n)
    growth, discount = math.exp((rate - payout) / n), math.exp(-rate / n)
    rise, fall = growth * share / up, growth * (1.0 - share) / (1.0 - up)
    ratio = rise / fall
    price = spot * fall**n
    for j in range(n + 1):
        value[j] = max(1.0 - price, 0.0)
        price *= ratio
    for step in range(n - 1, -1, -1):
        price = spot * fall**step
        for j in range(step + 1):
            value[j] = max(discount * (up * value[j + 1] + (1.0 - up) * value[j]), 1.0 - price)
            price *= ratio
    return float(value[0])


@compiled()
def _inverted(z: float, n: int) -> float:
    """Peizer and Pratt's second inversion of the binomial distribution."""
    scaled = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0))
    half = math.sqrt(0.25 - 0.25 * math.exp(-scaled * scaled * (n + 1.0 / 6.0)))
    return 0.5 + half if z >= 0.0 else 0.5 - half
