"""Rounds of Chainlink's AggregatorV3 and its feed of L2 sequencer uptime.

Source: smartcontractkit/documentation, data feeds, and DataConsumerWithSequencerCheck.sol (2026-08-21).
"""

from __future__ import annotations

import msgspec

from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS
from crossmargin.market.oracles.document import Feed
from crossmargin.market.oracles.quotes import Quote, Sequencer
from crossmargin.market.oracles.sources.scaled import scaled


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What `latestRoundData()` returns and `decimals()` beside it; times in seconds. `answeredInRound` is deprecated
    and says nothing."""

    round_id: int
    answer: int
    started_at: int
    updated_at: int
    decimals: int


def round_quote(feed: Feed, answered: Round, *, seen_ns: int) -> Quote:
    """The quote of a round: answer · 10^−decimals, of the time at which it was updated.

    A round that was never updated (time 0) is as old as 1970, and no gate lets it through.
    """
    return Quote(
        feed=feed,
        price=scaled(answered.answer, -answered.decimals),
        confidence=0.0,
        publish_ns=answered.updated_at * SECOND_NS,
        seen_ns=seen_ns,
        decimals=answered.decimals,
    )


def sequencer_state(answered: Round) -> Sequencer:
    """The sequencer as its feed tells: 0 is up, 1 is down, since the start of the round.

    Any other answer, or a round that has not started, is a feed that does not work: raises `InvalidInput`.
    """
    if answered.answer not in {0, 1} or answered.started_at <= 0:
        raise InvalidInput(
            "sequencer feed",
            where=f"round {answered.round_id}",
            value=(answered.answer, answered.started_at),
            limit="0 or 1, in a round that has started",
            remedy="Take prices of this chain for stale until the feed works.",
        )
    return Sequencer(up=answered.answer == 0, since_ns=answered.started_at * SECOND_NS)
