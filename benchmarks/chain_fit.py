"""From the quotes of one underlying to a surface without arbitrage, against least squares smile by smile."""

import numpy as np
from scipy.optimize import least_squares

from benchmarks.case import Bar, Case, Contender
from crossmargin.market.fit import build_chain
from tests.market.option_chains import NOW_NS, known_chain

DAYS = (1, 2, 3, 4, 9, 16, 23, 58, 86, 177, 268, 330, 360)
STRIKES = 35


def noisy_chain(expiries: int):
    """A chain with the size, spreads and noise of a real one: 35 strikes an expiry, marks 0.2 vol points off."""
    made = known_chain(days=DAYS[:expiries], deviations=np.linspace(-3.0, 3.0, STRIKES), half_width_vol=0.01)
    noise = 0.002 * np.random.default_rng(0).standard_normal(made.quotes.mark_vol.size)
    marks = np.maximum(made.quotes.mark_vol + noise, 0.05)
    columns = {name: getattr(made.quotes, name) for name in made.quotes.__dataclass_fields__}
    return made, type(made.quotes)(**(columns | {"mark_vol": marks}))


def smile_by_smile(made, quotes) -> list[np.ndarray]:
    """What one writes first: raw SVI through the marks of each expiry, no bounds on arbitrage."""
    fitted = []
    for when, forward, tau in zip(made.expiry_ns, made.forward, made.tenor_years, strict=True):
        rows = quotes.expiry_ns == when
        k, vol = np.log(quotes.strike[rows] / forward), quotes.mark_vol[rows]

        def miss(p, k=k, vol=vol, tau=tau):
            w = p[0] + p[1] * (p[2] * (k - p[3]) + np.sqrt((k - p[3]) ** 2 + p[4] ** 2))
            return np.sqrt(np.maximum(w, 1e-12) / tau) - vol

        first = [0.5 * (vol**2 * tau).min(), 0.1 * np.sqrt(tau), -0.2, 0.0, 0.5 * np.sqrt(tau)]
        low, high = [-1.0, 0.0, -0.999, -3.0, 1e-4], [4.0, 2.0, 0.999, 3.0, 5.0]
        fitted.append(least_squares(miss, first, bounds=(low, high)).x)
    return fitted


def contest(expiries: int) -> list[Contender]:
    made, quotes = noisy_chain(expiries)
    return [
        Contender(name="crossmargin", run=lambda: build_chain(quotes, now_ns=NOW_NS), cells=expiries),
        Contender(name="SciPy least squares, with arbitrage", run=lambda: smile_by_smile(made, quotes), cells=expiries),
    ]


def cases() -> list[Case]:
    return [
        Case(
            name="chain to surface",
            unit="expiries",
            sizes=(4, 8, 13),
            contest=contest,
            bars=(Bar(against="SciPy least squares, with arbitrage", ratio_min=1.0),),
            notes="forwards, SVI, SSVI, no static arbitrage, integrity report; 70 quotes an expiry",
        )
    ]
