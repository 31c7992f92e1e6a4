"""What each part of a model assumes and where it fails; a card holds those of the parts that its model has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from crossmargin.scenarios.calibrating.calibrate import CalibrationSpec
from crossmargin.scenarios.calibrating.calibration import Calibration, Scale
from crossmargin.validation.cards.documents import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is asked of a statistical model to say what it rests on."""

    method: str
    rows: int
    filters: frozenset[str]
    scale: Scale
    spliced: bool
    copula: str
    horizon_bars: int
    horizon_rule: str
    regime: bool
    stretch: bool
    correlation_stress: bool
    implied_weight: float
    liquidity: bool
    proxied: bool


def traits_of(fitted: CalibrationSpec | Calibration) -> Traits:
    """The traits of a specification, or of what was fitted."""
    if isinstance(fitted, CalibrationSpec):
        return Traits(
            method=fitted.method,
            rows=fitted.lookback,
            filters=frozenset({fitted.filter, *(rule.filter for rule in fitted.kinds.values())}),
            scale=fitted.scale,
            spliced=fitted.tail_rule is not None,
            copula=fitted.copula_rule.copula if fitted.copula_rule else "",
            horizon_bars=fitted.horizon_bars,
            horizon_rule=fitted.horizon_rule,
            regime=fitted.regime,
            stretch=fitted.stressed_share > 0.0,
            correlation_stress=fitted.correlation_stress is not None,
            implied_weight=fitted.implied_weight,
            liquidity=fitted.liquidity is not None,
            proxied=bool(fitted.proxies or fitted.default_proxy),
        )
    return Traits(
        method=fitted.method,
        rows=fitted.residuals.rows,
        filters=frozenset(fit.filter.kind for fit in fitted.factors),
        scale=fitted.scale,
        spliced=fitted.marginals == "spliced",
        copula=fitted.dependence.copula if fitted.dependence else "",
        horizon_bars=fitted.horizon_bars,
        horizon_rule=fitted.horizon_rule,
        regime=any(fit.regime > 0.0 for fit in fitted.factors),
        stretch=fitted.stretch is not None,
        correlation_stress=fitted.correlation_stress is not None,
        implied_weight=fitted.implied_weight,
        liquidity=fitted.liquidity is not None,
        proxied=any(fit.proxied for fit in fitted.factors),
    )


class _Clause(NamedTuple):
    """A statement, and which models it is made of."""

    holds: Callable[[Traits], bool]
    part: str
    assumption: str
    limit: str
    source: str


_CLAUSES: Final = (
    _Clause(
        lambda t: t.method == "historical",
        "plain history",
        "The next horizon is one of the look-back's, each as likely as any other.",
        "Late in a crisis: a new regime counts for one date in the look-back, and stays until it falls out of it.",
        "Hendricks (1996), FRBNY Economic Policy Review 2(1), 39-69",
    ),
    _Clause(
        lambda t: t.method == "filtered",
        "filtered history",
        "Moves over the volatility that was forecast for them are alike over time, and dates keep their cross-section.",
        "Correlations and the shape of tails are those of the look-back, whatever the volatility of now; where "
        "estimated volatility errs, the order statistic covers 0.1 to 0.5 points less than nominal.",
        "Hull and White (1998), Journal of Risk 1, 5-19; Barone-Adesi, Giannopoulos and Vosper (1999), Journal of "
        "Futures Markets 19, 583-602",
    ),
    _Clause(
        lambda t: t.method == "monte_carlo",
        "Monte Carlo",
        "Residuals are independent over time, and their joint law is the fitted copula with the fitted marginals.",
        "Results carry the sampling error of the draws besides that of the fit; both are reported.",
        "McNeil, Frey and Embrechts (2015), Quantitative Risk Management, chapters 5 and 7",
    ),
    _Clause(
        lambda t: "ewma" in t.filters,
        "EWMA volatility",
        "Variance is a moving average of squared moves whose weights fall at one decay for all factors.",
        "No return to a mean: after a shock it stays too high, in a calm too low, unless a floor holds it.",
        "J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, section 5.2",
    ),
    _Clause(
        lambda t: "none" in t.filters and len(t.filters) > 1,
        "kinds without a filter",
        "What jumps and returns, such as a basis or a peg, is as likely to on one date of the look-back as on another.",
        "Late where such a factor turns wild for long: it then counts date by date, as in plain history.",
        "Hendricks (1996), FRBNY Economic Policy Review 2(1), 39-69",
    ),
    _Clause(
        lambda t: bool(t.filters & {"garch", "gjr"}),
        "GARCH volatility",
        "Variance follows one recursion with constant parameters; in GJR falls raise it more than rises.",
        "Parameters are estimated with error and drift; where a fit is refused EWMA stands in for that factor. "
        "Where it takes in much of one shock, the residual of that shock is multiplied by what it left: margins of "
        "short positions lose all measure.",
        "Bollerslev (1986), Journal of Econometrics 31, 307-327; Glosten, Jagannathan and Runkle (1993), Journal of "
        "Finance 48, 1779-1801",
    ),
    _Clause(
        lambda t: t.scale.stressed_weight > 0.0 or t.scale.floor > 0.0,
        "tools against procyclicality",
        "A stressed volatility and the long run say what calm markets may turn into.",
        "Dearer in calm times than the filter alone; a stress beyond the worst on record is not in it, and factors "
        "with a short history have a short memory of stress.",
        "EMIR RTS 153/2013, article 28(1)(b) and (c)",
    ),
    _Clause(
        lambda t: t.regime,
        "regime floor",
        "When most factors are stressed, those that have not moved yet soon will.",
        "Raises margins of quiet assets for moves of others that they may not follow.",
        "Own rule, stated in `scenarios/statistics/volatility.py`",
    ),
    _Clause(
        lambda t: t.spliced,
        "Pareto tails",
        "Beyond the threshold residuals follow a generalised Pareto law, which holds in the limit for most laws.",
        "The shape ξ rests on the N residuals beyond the threshold: its standard error is (1 + ξ)/√N. It is "
        "held at ½ at most, and draws end at the quantile ½/n of n residuals: what lies beyond is in no margin.",
        "Balkema and de Haan (1974); Pickands (1975); McNeil and Frey (2000), Journal of Empirical Finance 7, 271-300; "
        "Cont (2001), Quantitative Finance 1, 223-236",
    ),
    _Clause(
        lambda t: t.copula in ("t", "grouped_t"),
        "t copula",
        "Ranks depend by one correlation matrix and one number of degrees of freedom (or one a group).",
        "All pairs of a group share the strength of their joint extremes, for falls as for rises.",
        "Demarta and McNeil (2005), International Statistical Review 73, 111-129",
    ),
    _Clause(
        lambda t: t.copula == "gaussian",
        "Gaussian copula",
        "Ranks depend by one correlation matrix.",
        "No tail dependence: joint extremes are rarer than in markets.",
        "McNeil, Frey and Embrechts (2015), section 7.3",
    ),
    _Clause(
        lambda t: t.copula == "vine",
        "vine copula",
        "The joint law is a cascade of pairs, whose families are chosen by criterion.",
        "Many choices from one sample; truncation leaves later pairs independent.",
        "Czado (2019), Analyzing Dependent Data with Vine Copulas",
    ),
    _Clause(
        lambda t: t.horizon_bars > 1 and t.horizon_rule == "square_root",
        "square root of time",
        "Moves of the bars of a horizon are independent and alike.",
        "Wrong where volatility clusters or moves trend.",
        "Diebold, Hickman, Inoue and Schuermann (1998), Risk 11, 104-107",
    ),
    _Clause(
        lambda t: t.horizon_bars > 1 and t.horizon_rule != "square_root",
        "horizon of several bars",
        "Sums of residuals of neighbouring or drawn bars, all at the volatility of now, are what a horizon brings.",
        "Overlapping sums are few independent ones; the volatility does not evolve within the horizon.",
        "Barone-Adesi, Giannopoulos and Vosper (1999)",
    ),
    _Clause(
        lambda t: t.proxied,
        "proxies",
        "Before it was listed a factor moved by its beta to a proxy, and a resampled part of its own.",
        "Its own crises of that time are not in it.",
        "Own rule; what was filled is named in the calibration",
    ),
    _Clause(
        lambda t: t.stretch,
        "stressed stretch",
        "The worst time of all factors together may return at any date, and weighs as stated.",
        "One stretch chosen on one portfolio of all factors; the worst of another book may lie elsewhere.",
        "EMIR RTS 153/2013, article 28(1)(b)",
    ),
    _Clause(
        lambda t: t.correlation_stress,
        "stressed correlation",
        "In stress, correlations of a block may go far toward one, or between two sides toward minus one.",
        "The extent is chosen, not estimated.",
        "Own rule, stated in `scenarios/calibrating/calibration.py`",
    ),
    _Clause(
        lambda t: t.implied_weight > 0.0,
        "implied volatility",
        "What options imply says something of the next horizon that the past does not.",
        "It holds a premium, and markets without options have none.",
        "Christensen and Prabhala (1998), Journal of Financial Economics 50, 125-150",
    ),
    _Clause(
        lambda t: t.liquidity,
        "liquidity in stress",
        "Spreads widen and volumes thin with the state of the whole market.",
        "Multipliers are chosen; depth of an asset in its own stress is not observed.",
        "Own rule, stated in `scenarios/liquidity.py`",
    ),
)


def statements_of(traits: Traits) -> Iterator[Statement]:
    """The statements of the parts that a model has."""
    for clause in _CLAUSES:
        if clause.holds(traits):
            yield Statement(part=clause.part, assumption=clause.assumption, limit=clause.limit, source=clause.source)


GRID: Final = (
    Statement(
        part="fixed grid",
        assumption="The worst joint move of price, volatility, carry and correlation in the stated ranges is severe "
        "enough for the horizon, whatever markets do.",
        limit="It says nothing of how likely a loss is, has no confidence level, and does not follow the market: too "
        "little in a crisis beyond its ranges, too much in a calm.",
        source="The form of SPAN (Chicago Mercantile Exchange 1988) and of the portfolio margin of venues",
    ),
    Statement(
        part="offsets",
        assumption="Underlyings move along the first principal components of the market and of its risk classes, or in "
        "pairs at stressed correlation.",
        limit="Joint moves in other directions are covered by the cap on offsets alone.",
        source="EMIR RTS 153/2013, article 27",
    ),
)
ADD_ONS: Final = Statement(
    part="terms beside the scan",
    assumption="Liquidity, basis, far moves, short options, oracles and wrong way add up, each by its own rule.",
    limit="Their parameters are chosen, not estimated, and backtests of the scan do not judge them.",
    source="The parameters' own source, below",
)
REVALUED: Final = Statement(
    part="revaluation",
    assumption="Every instrument is revalued in full in each scenario; options on a surface that keeps its moneyness.",
    limit="Positions are held as they stand over the horizon, and prices of the model are taken to be tradable.",
    source="Black (1976), Journal of Financial Economics 3, 167-179",
)
PREDICTIVE: Final = (
    Statement(
        part="boosted quantile",
        assumption="What a filter got wrong under like conditions it gets wrong again; one learner serves all "
        "portfolios.",
        limit="No better than its features, and blind to a state that it has not met; held between half and four times "
        "the filter, which it follows: no tool against procyclicality is in it. Before it has learnt the filter's "
        "figures stand, and count in its evidence.",
        source="Friedman (2001), Annals of Statistics 29, 1189-1232; Koenker and Bassett (1978), Econometrica 46, "
        "33-50",
    ),
    Statement(
        part="conformal correction",
        assumption="Scores of the window are exchangeable with the next one, up to the drift that adaptive levels "
        "follow.",
        limit="Coverage is over time and not in each state of the market; levels are held between zero and twice the "
        "rate, and where they reach zero the largest score stands for an infinite margin.",
        source="Romano, Patterson and Candès (2019), NeurIPS 32; Gibbs and Candès (2021), NeurIPS 34",
    ),
    Statement(
        part="adoption",
        assumption="Where it had the lowest Fissler-Ziegel score and no filter was left in the Model Confidence Set, "
        "it is used; elsewhere the filter is.",
        limit="A choice by score does not mean fewer exceptions in the next crisis.",
        source="Fissler and Ziegel (2016), Annals of Statistics 44, 1680-1707; Hansen, Lunde and Nason (2011), "
        "Econometrica 79, 453-497",
    ),
)
