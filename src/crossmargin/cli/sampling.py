"""What a reader must know of the sample behind a statistical margin, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crossmargin.cli.wording import days, label_text, named, percent
from crossmargin.engine.reports import Sampling

_KINDS: Final = {
    "fwd": "carry",
    "basis": "perpetual basis",
    "funding": "funding",
    "vol": "volatility",
    "skew": "skew",
    "smile": "smile",
    "peg": "peg",
    "backing": "backing",
    "rate": "rate",
}
_METHODS: Final = {
    "historical": "moves of the past as they were",
    "filtered": "moves of the past in the volatility of now",
    "monte_carlo": "draws from a fitted distribution",
}


def sampling_notes(sampling: Sampling | None) -> tuple[str, ...]:
    """Where scenarios are from, what the standard error assumes, what no scenario moves, and what a proxy stands for;
    nothing under the worst case."""
    if sampling is None:
        return ()
    if sampling.method == "grid":
        return ("The scenarios are columns of a grid and no sample: the measure has no standard error.",)
    return (_origin(sampling), _assumption(sampling), *unmoved_words(sampling.unmoved), *_proxied(sampling))


def _origin(sampling: Sampling) -> str:
    over = "" if sampling.horizon_days is None else f", each over {days(sampling.horizon_days)}"
    source = f" ({label_text(sampling.source)})" if sampling.source else ""
    stress = f" Columns of stress weigh {percent(sampling.stressed_share)}." if sampling.stressed_share > 0.0 else ""
    return f"Scenarios are {_METHODS[sampling.method]}{source}{over}.{stress}"


def _assumption(sampling: Sampling) -> str:
    bars, rule = sampling.horizon_bars, sampling.horizon_rule
    if sampling.method == "monte_carlo" or (rule == "bootstrap" and bars > 1):
        every = named(sampling.scenarios, "draw")
        return (
            f"The standard error is that of {every}; that of the fit, or of the past they are drawn from, is not in it."
        )
    if sampling.independent is not None and sampling.independent < sampling.scenarios:
        return (
            f"Windows of {bars} bars overlap: the standard error takes {named(sampling.scenarios, 'scenario')} as "
            f"{sampling.independent:,.0f} independent ones."
        )
    return "The standard error takes the dates as independent of each other."


def unmoved_words(factors: tuple[str, ...]) -> Iterator[str]:
    """Factors by kind, so that twenty of them are still a sentence."""
    kinds: dict[str, list[str]] = {}
    for factor in factors:
        kind, name = factor.split(":", 1)
        kinds.setdefault(_KINDS.get(kind, kind), []).append(name)
    if kinds:
        listed = "; ".join(f"{kind} of {', '.join(names)}" for kind, names in kinds.items())
        yield f"No scenario moves these factors, which the book depends on: {listed}. Only add-ons charge for them."


def _proxied(sampling: Sampling) -> Iterator[str]:
    for filled in sampling.proxied:
        part = f"{percent(filled.share)} of its dates"
        yield f"{filled.factor} was listed late: {part} are filled from {filled.proxy} at a beta of {filled.beta:.2f}."
