"""How many independent parties must be corrupted before a bridge believes a lie."""

from __future__ import annotations

from collections import Counter

from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.market.registry.document import VerifierSet


def effective_verifiers(verifiers: VerifierSet) -> int:
    """The fewest operators that together can forge a message.

    All operators of required verifiers, then those with the most optional verifiers until the threshold is met, and
    the quorum of the committee. Operators of required verifiers bring their optional ones along. 1 is what let 116,500
    rsETH out without backing on 18 April 2026: a single verifier that read two poisoned nodes.
    """
    operators = {verifiers.operator.get(name, name) for name in verifiers.required}
    optional = Counter(verifiers.operator.get(name, name) for name in verifiers.optional)
    missing = verifiers.threshold - sum(optional.pop(name, 0) for name in operators)
    count = len(operators) + (verifiers.committee.quorum if verifiers.committee else 0)
    for _, held in optional.most_common():
        if missing <= 0:
            break
        missing, count = missing - held, count + 1
    return count


def check_verifiers(verifiers: VerifierSet, *, where: str) -> None:
    """Raise `InvalidInput` for a set that nobody guards, or whose threshold or quorum can never or always be met."""
    names = (*verifiers.required, *verifiers.optional)
    check.unique(names, "verifier", where=where)
    for name in verifiers.operator:
        check.known(name, names, "verifier with an operator", where=where)
    least = 1 if verifiers.optional else 0
    if not least <= verifiers.threshold <= len(verifiers.optional):
        raise InvalidInput(
            "threshold",
            where=where,
            value=verifiers.threshold,
            limit=f"from {least} to {len(verifiers.optional)}, the number of optional verifiers",
            remedy="Read it from the bridge's configuration on chain.",
        )
    committee = verifiers.committee
    if committee and not 1 <= committee.quorum <= committee.members:
        raise InvalidInput(
            "quorum",
            where=where,
            value=committee.quorum,
            limit=f"from 1 to {committee.members}, the members",
            remedy="Correct the source.",
        )
    if effective_verifiers(verifiers) < 1:
        raise InvalidInput(
            "verifiers", where=where, value=0, limit="at least 1", remedy="Name who attests the bridge's messages."
        )
