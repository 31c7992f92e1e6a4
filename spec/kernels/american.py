"""American options, one at a time, on a binomial tree.

Leisen and Reimer (1996), "Binomial models for option valuation", Applied Mathematical Finance 3, 319–346.
"""

import math


def american_values(
    spot: float,
    strike: float,
    vol: float,
    tau: float,
    rate: float,
    payout: float,
    right: float,
    steps: int = 401,
) -> float:
    """Value with early exercise at every step, for a time above 0; `steps` is odd."""
    v, dt = vol * math.sqrt(tau), tau / steps
    if v == 0.0:  # the price is known: exercise when it pays most today
        times = [step * dt for step in range(steps + 1)]
        return max(0.0, *(right * (spot * math.exp(-payout * t) - strike * math.exp(-rate * t)) for t in times))
    d = (math.log(spot / strike) + (rate - payout) * tau) / v + 0.5 * v
    up, share = _inverted(d - v, steps), _inverted(d, steps)
    growth, discount = math.exp((rate - payout) * dt), math.exp(-rate * dt)
    rise, fall = growth * share / up, growth * (1.0 - share) / (1.0 - up)

    def gain(step: int, ups: int) -> float:
        return right * (spot * rise**ups * fall ** (step - ups) - strike)

    value = [max(gain(steps, ups), 0.0) for ups in range(steps + 1)]
    for step in range(steps - 1, -1, -1):
        price, ratio = spot * fall**step, rise / fall
        for ups in range(step + 1):
            held = discount * (up * value[ups + 1] + (1.0 - up) * value[ups])
            value[ups] = max(held, right * (price - strike))
            price *= ratio
    return value[0]


def _inverted(z: float, n: int) -> float:
    """Peizer and Pratt's second inversion of the binomial distribution."""
    scaled = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0))
    return 0.5 + math.copysign(math.sqrt(0.25 - 0.25 * math.exp(-scaled * scaled * (n + 1.0 / 6.0))), z)
