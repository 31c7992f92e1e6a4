"""Price updates of Pyth, from a contract or from Hermes.

Since 26 August 2026 five routers sign a Merkle root, three of them a quorum; whether they did is verified elsewhere and
handed over. The average over time is not used as a price: its confidence is "somewhat questionable" by Pyth's own
words.

Source: pyth-crosschain, PythStructs.sol; docs.pyth.network, core upgrade (2026-08-26).
"""

from __future__ import annotations

import msgspec

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.quotes import Quote
from crossmargin.market.oracles.sources.scaled import scaled


class PriceUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """`price` and `conf` times 10^`expo`, at `publish_time` in seconds. Hermes writes the first two as text."""

    price: int | str
    conf: int | str
    expo: int
    publish_time: int


def update_quote(feed: Feed, update: PriceUpdate, *, quorum_ok: bool, seen_ns: int) -> Quote:
    """The quote of an update. Raises `InvalidInput` for text that is no integer."""
    return Quote(
        feed=feed,
        price=scaled(_integer(update.price, feed, "price"), update.expo),
        confidence=scaled(_integer(update.conf, feed, "conf"), update.expo),
        publish_ns=update.publish_time * SECOND_NS,
        seen_ns=seen_ns,
        quorum_ok=quorum_ok,
        decimals=-update.expo,
    )


def _integer(value: int | str, feed: Feed, what: str) -> int:
    if isinstance(value, int):
        return value
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 78):
        raise InvalidInput(what, where=feed.source, value=value, limit="an integer", remedy="Correct the source.")
    return int(value)
