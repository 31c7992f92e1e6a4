"""Rate limits of bridges: token buckets, in the smallest units of an asset, exact.

A bucket holds at most `capacity` and is refilled by `refill_per_s`. What is larger than the capacity never passes in
one message. Source: Chainlink CCIP, "Rate limits" (2026-08-21): capacity and rate by token and lane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket as it stood at `time_ns`: `left` of `capacity`, both in smallest units."""

    capacity: int
    refill_per_s: Fraction
    left: int
    time_ns: int

    def __post_init__(self) -> None:
        if not (0 <= self.left <= self.capacity and self.refill_per_s >= 0):
            raise InvalidInput(
                "bucket",
                where="rate limit",
                value=(self.left, self.capacity, self.refill_per_s),
                limit="0 ≤ left ≤ capacity and a refill of at least 0",
                remedy="Correct the source.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What came of asking: the bucket after, and whether the amount passed; `wait_s` until it will, None for never."""

    bucket: Bucket
    passed: bool
    wait_s: Fraction | None = Fraction(0)


def available(bucket: Bucket, time_ns: int) -> int:
    """What may pass at a time: the smaller of capacity and what is left with what flowed in since, rounded down.

    Raises `InvalidInput` for a time before the bucket's own.
    """
    if time_ns < bucket.time_ns:
        raise InvalidInput(
            "time", where="rate limit", value=time_ns, limit=f"not before {bucket.time_ns}", remedy="Ask in order."
        )
    flowed = bucket.refill_per_s * Fraction(time_ns - bucket.time_ns, SECOND_NS)
    return min(bucket.capacity, int(bucket.left + flowed))


def wait_s(bucket: Bucket, amount: int, time_ns: int) -> Fraction | None:
    """Seconds until all of `amount` has passed, in as many messages as it needs; None where that never comes.

    The bucket is drained as fast as it fills, so messages add no time beyond the refill of what is missing.
    """
    missing = amount - available(bucket, time_ns)
    if missing <= 0:
        return Fraction(0)
    return missing / bucket.refill_per_s if bucket.refill_per_s and bucket.capacity else None


def take(bucket: Bucket, amount: int, time_ns: int) -> Grant:
    """Ask for one message of `amount`: it passes whole or not at all, and what is refused takes nothing."""
    now = available(bucket, time_ns)
    if amount <= now:
        return Grant(bucket=replace(bucket, left=now - amount, time_ns=time_ns), passed=True)
    if amount > bucket.capacity:
        return Grant(bucket=bucket, passed=False, wait_s=None)
    return Grant(bucket=bucket, passed=False, wait_s=wait_s(bucket, amount, time_ns))


def messages(bucket: Bucket, amount: int) -> int:
    """How many messages `amount` needs, at least 1; raises `InvalidInput` for a lane that carries nothing."""
    if not bucket.capacity:
        raise InvalidInput(
            "capacity", where="rate limit", value=0, limit="above zero for a transfer", remedy="Take another route."
        )
    return max(1, -(-amount // bucket.capacity))
