"""Single prices, greeks and implied volatilities, on one thread."""

import numpy as np
from scipy.special import ndtr

from benchmarks.case import Bar, Case, Contender, optional
from crossmargin.valuation.kernels.american import american_values
from crossmargin.valuation.kernels.black76 import black_greeks, black_values
from crossmargin.valuation.kernels.implied import implied_total_vol

SIZES = (50_000, 100_000, 200_000)
SAMPLE = 300  # Prices of the loops over single prices.


def draw(options: int):
    """Out-of-the-money options on a forward of 100: forward, strike, total volatility, right, tau, rate."""
    rng = np.random.default_rng(0)
    v = rng.uniform(0.05, 1.0, options)
    k = rng.normal(0.0, 1.5, options) * v
    return np.full(options, 100.0), 100.0 * np.exp(k), v, np.where(k > 0.0, 1.0, -1.0)


def numpy_values(forward, strike, v, right):
    d1 = np.log(forward / strike) / v + 0.5 * v
    return right * (forward * ndtr(right * d1) - strike * ndtr(right * (d1 - v)))


def values(options: int) -> list[Contender]:
    case = draw(options)
    one, none = np.ones(options), np.zeros(options)
    return [
        Contender(name="crossmargin", run=lambda: black_values(*case), cells=options),
        Contender(name="NumPy + ndtr", run=lambda: numpy_values(*case), cells=options),
        Contender(
            name="value and eight greeks",
            run=lambda: black_greeks(case[0], case[1], case[2], one, none, case[3]),
            cells=options,
        ),
    ]


def implied(options: int) -> list[Contender]:
    case = draw(options)
    price = black_values(*case)
    flag = np.where(case[3] > 0.0, "c", "p")
    no_vollib, no_extra = optional("fast_vollib"), optional("py_lets_be_rational")

    def vollib():
        import fast_vollib

        return fast_vollib.fast_implied_volatility_black(
            price, case[0], case[1], 0.0, 1.0, flag, return_as="numpy", on_error="ignore"
        )

    def extra():
        from py_lets_be_rational import implied_volatility_from_a_transformed_rational_guess as invert

        terms = (column[:SAMPLE] for column in (price, case[0], case[1], case[3]))
        return [invert(p, f, k, 1.0, q) for p, f, k, q in zip(*terms, strict=True)]

    return [
        Contender(name="crossmargin", run=lambda: implied_total_vol(price, case[0], case[1], case[3]), cells=options),
        Contender(name="vollib", run=None if no_vollib else vollib, cells=options, absent=no_vollib),
        Contender(name="py_lets_be_rational", run=None if no_extra else extra, cells=SAMPLE, absent=no_extra),
    ]


def implied_error() -> float:
    """Largest relative distance of the volatility that comes back."""
    case = draw(SIZES[0])
    return float(np.abs(implied_total_vol(black_values(*case), case[0], case[1], case[3]) / case[2] - 1.0).max())


def american(options: int) -> list[Contender]:
    forward, strike, v, right = draw(options)
    tau, rate, payout = np.ones(options), np.full(options, 0.05), np.full(options, 0.02)
    absent = optional("QuantLib")

    def quantlib():
        import QuantLib as ql  # noqa: N813 the name everyone gives it

        today = ql.Settings.instance().evaluationDate
        day = ql.Actual365Fixed()
        spot, vol = ql.SimpleQuote(100.0), ql.SimpleQuote(0.2)
        curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, x, day)) for x in (0.02, 0.05)]
        smile = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(vol), day))
        process = ql.BlackScholesMertonProcess(ql.QuoteHandle(spot), *curves, smile)
        engine = ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.fastScheme())
        exercise = ql.AmericanExercise(today, today + 365)
        prices = []
        for k, sigma, side in zip(strike[:SAMPLE], v[:SAMPLE], right[:SAMPLE], strict=True):
            vol.setValue(sigma)
            kind = ql.Option.Call if side > 0.0 else ql.Option.Put
            option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, k), exercise)
            option.setPricingEngine(engine)
            prices.append(option.NPV())
        return prices

    return [
        Contender(
            name="crossmargin",
            run=lambda: american_values(forward, strike, v, tau, rate, payout, right),
            cells=options,
        ),
        Contender(name="QuantLib, fast QD+ in a loop", run=None if absent else quantlib, cells=SAMPLE, absent=absent),
    ]


def cases() -> list[Case]:
    return [
        Case(
            name="Black-76 values",
            unit="options",
            sizes=SIZES,
            contest=values,
            notes="full relative precision in the tails",
        ),
        Case(
            name="implied volatility",
            unit="prices",
            sizes=SIZES,
            contest=implied,
            bars=(Bar(against="py_lets_be_rational", ratio_min=1.0),),
            error=implied_error,
            error_max=1e-10,
        ),
        Case(
            name="American options",
            unit="options",
            sizes=(2500, 5000, 10_000),
            contest=american,
            bars=(Bar(against="QuantLib, fast QD+ in a loop", ratio_min=1.0),),
        ),
    ]
