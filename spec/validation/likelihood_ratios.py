"""Likelihood ratios of exceptions, one series at a time: a list of 0 and 1, or counts. 0·ln 0 = 0."""

import math
from collections.abc import Sequence
from itertools import pairwise


def bernoulli(ones: int, zeros: int, p: float) -> float:
    """ln[p^ones (1 − p)^zeros]."""
    return (ones * math.log(p) if ones else 0.0) + (zeros * math.log(1.0 - p) if zeros else 0.0)


def pof(exceptions: int, observations: int, rate: float) -> float:
    """Kupiec's proportion of failures."""
    rest = observations - exceptions
    return -2.0 * (bernoulli(exceptions, rest, rate) - bernoulli(exceptions, rest, exceptions / observations))


def waiting(days: int, rate: float) -> float:
    """One waiting time: an exception after `days` − 1 dates without."""
    return -2.0 * (bernoulli(1, days - 1, rate) - bernoulli(1, days - 1, 1.0 / days))


def tuff(marks: Sequence[int], rate: float) -> float:
    """The time until the first failure; without one, the dates that it did not come on."""
    if 1 in marks:
        return waiting(marks.index(1) + 1, rate)
    return -2.0 * len(marks) * math.log(1.0 - rate)


def tbfi(marks: Sequence[int], rate: float) -> float:
    """All waiting times."""
    ends = [date for date, mark in enumerate(marks, 1) if mark]
    return math.fsum(waiting(end - start, rate) for start, end in pairwise([0, *ends]))


def tbf(marks: Sequence[int], rate: float) -> float:
    """Waiting times and their number."""
    return pof(sum(marks), len(marks), rate) + tbfi(marks, rate)


def transitions(marks: Sequence[int]) -> tuple[int, int, int, int]:
    """Pairs of neighbours: n00, n01, n10, n11."""
    pairs = list(pairwise(marks))
    return pairs.count((0, 0)), pairs.count((0, 1)), pairs.count((1, 0)), pairs.count((1, 1))


def independence(n00: int, n01: int, n10: int, n11: int) -> float:
    """Christoffersen's independence."""
    joint = (n01 + n11) / (n00 + n01 + n10 + n11)
    split = bernoulli(n01, n00, n01 / (n00 + n01) if n00 + n01 else 0.0)
    split += bernoulli(n11, n10, n11 / (n10 + n11) if n10 + n11 else 0.0)
    return -2.0 * (bernoulli(n01 + n11, n00 + n10, joint) - split)


def conditional_coverage(marks: Sequence[int], rate: float) -> float:
    """Christoffersen's joint test."""
    return pof(sum(marks), len(marks), rate) + independence(*transitions(marks))
