"""Signed packages of RedStone: the median over distinct signers, once there are enough of them.

Source: RedStone's pull model: packages of 8 decimals, `getUniqueSignersThreshold()` distinct signers, one time stamp.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import msgspec

from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.median import median
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.sources.scaled import scaled

_MILLISECOND_NS = SECOND_NS // 1_000


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One signer's value (times 10^`decimals`) at a time in milliseconds; `verified` if its signature was recovered to
    that signer."""

    signer: str
    value: int
    decimals: int
    timestamp_ms: int
    verified: bool


def packages_quote(
    feed: Feed, packages: Sequence[Package], *, signers: AbstractSet[str], threshold: int, seen_ns: int
) -> Quote | None:
    """The quote of the packages of one moment: the median over authorised signers with verified signatures.

    The quorum holds if at least `threshold` of them signed; a signer who says two things has no vote. The newest moment
    with any valid package stands; none without one.
    """
    valid = [p for p in packages if p.verified and p.signer in signers]
    if not valid:
        return None
    moment_ms = max(p.timestamp_ms for p in valid)
    said: dict[str, set[tuple[int, int]]] = {}
    for package in valid:
        if package.timestamp_ms == moment_ms:
            said.setdefault(package.signer, set()).add((package.value, package.decimals))
    heard = [next(iter(values)) for values in said.values() if len(values) == 1]
    prices = [scaled(value, -decimals) for value, decimals in heard]
    same = {decimals for _, decimals in heard}
    return Quote(
        feed=feed,
        price=median(prices) if prices else 0.0,
        confidence=0.0,
        publish_ns=moment_ms * _MILLISECOND_NS,
        seen_ns=seen_ns,
        quorum_ok=len(heard) >= max(threshold, 1),
        decimals=same.pop() if len(same) == 1 else None,
    )
