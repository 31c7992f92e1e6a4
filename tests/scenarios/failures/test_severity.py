"""Ends of ranges: met to the bit, in order for every event, and of moves that are milder than the larger one."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.core.errors import InvalidInput, UnknownName
from crossmargin.engine.failures.library import default_failures
from crossmargin.scenarios.failures.document import Backing, Custody, Move, Oracle, Peg
from crossmargin.scenarios.failures.library import Failure, checked_library, failures
from crossmargin.scenarios.failures.severity import at_severity

replace = msgspec.structs.replace
SHARES = st.floats(0.0, 1.0)
ENDS = ("low", "mid", "high")


def failure(*effects, duration_s=(60.0, 3_600.0)):
    return Failure(
        id="made up",
        label="",
        tests="",
        effects=effects,
        duration_s=duration_s,
        reported_s=None,
        sources=(),
        assumed=(),
    )


def sizes(one):
    """How large every figure of a failure is that a range may be of."""
    found = [one.duration_s[1]]
    for effect in one.effects:
        match effect:
            case Backing() | Custody():
                found.append(effect.loss_hi)
            case Peg():
                found.append(-effect.low)
            case Move():
                found += [abs(x) for x in effect.shocks.values()]
            case Oracle():
                found.append(abs(effect.deviation))
    return found


@pytest.mark.parametrize("one", failures(default_failures()), ids=lambda one: one.id)
def test_no_figure_of_any_event_is_smaller_at_a_higher_end(one):
    low, mid, high = (sizes(at_severity(one, end)) for end in ENDS)
    assert all(a <= b <= c for a, b, c in zip(low, mid, high, strict=True))


@pytest.mark.parametrize("one", failures(default_failures()), ids=lambda one: one.id)
def test_the_high_end_is_what_was_taken_without_asking(one):
    high = at_severity(one, "high")
    assert sizes(high) == sizes(one)
    assert at_severity(high, "low") == high


@given(SHARES, SHARES, st.tuples(SHARES, SHARES))
def test_ends_are_met_to_the_bit(one, other, lasts):
    lo, hi = sorted((one, other))
    span = tuple(sorted(lasts))
    said = failure(Backing(loss_lo=lo, loss_hi=hi), Peg(asset="USDC", low=-hi, high=-lo), duration_s=span)
    low, mid, high = (at_severity(said, end) for end in ENDS)
    assert (low.effects[0].loss_hi, high.effects[0].loss_hi) == (lo, hi)
    assert (low.effects[1].low, high.effects[1].low) == (-lo, -hi)
    assert math.isclose(mid.effects[0].loss_hi, (lo + hi) / 2, rel_tol=1e-12)
    assert (low.duration_s, high.duration_s) == ((span[0], span[0]), (span[1], span[1]))


def test_ranges_of_the_sources_are_there():
    """10 October 2025: many coins by 50 to 60 %, Solana in June 2022 by 12 to 14 %, the rate cap by 2.80 to 2.85 %."""
    ten, solana, cap = failures(default_failures(), ["C06", "O02", "D05"])
    assert [at_severity(ten, end).effects[0].shocks["spot:*"] for end in ENDS] == [-0.5, -0.55, -0.6]
    assert [at_severity(ten, end).effects[0].shocks["spot:BTC"] for end in ENDS] == [-0.12] * 3
    assert at_severity(solana, "low").effects[1].shocks == {"spot:SOL": -0.12}
    assert at_severity(cap, "low").effects[0].deviation == -0.028


@pytest.mark.parametrize(
    ("effect", "error", "said"),
    [
        (Move(shocks={"spot:BTC": -0.1}, milder={"spot:BTC": -0.2}), InvalidInput, "milder spot:BTC"),
        (Move(shocks={"spot:BTC": -0.1}, milder={"spot:BTC": 0.1}), InvalidInput, "milder spot:BTC"),
        (Move(shocks={"spot:BTC": -0.1}, milder={"spot:ETH": -0.1}), UnknownName, "spot:ETH"),
        (Oracle(asset="USDC", deviation=-0.1, milder=-0.2), InvalidInput, "milder"),
    ],
)
def test_what_is_milder_lies_between_nothing_and_the_larger(effect, error, said):
    library = default_failures()
    with pytest.raises(error, match=said):
        checked_library(replace(library, events=(replace(library.events[0], model=(effect,)), *library.events[1:])))
