"""The steps that a journal takes, as values: what a follower decides, a store keeps and a restart does again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TypeAlias

import msgspec

from crossmargin.market.chains import journal as chains
from crossmargin.market.chains.blocks import Block, Header, Movement
from crossmargin.market.chains.journal import Journal


class Learn(msgspec.Struct, frozen=True, tag="learn"):
    """A block became known."""

    block: Block


class Adopt(msgspec.Struct, frozen=True, tag="adopt"):
    """A known block is the end of the best branch."""

    head: bytes


class Finalise(msgspec.Struct, frozen=True, tag="finalise"):
    """A known block is final."""

    final: bytes


class Announce(msgspec.Struct, frozen=True, tag="announce"):
    """Debits of a transaction that is in no block yet were seen."""

    debits: tuple[Movement, ...]


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """A transaction that was seen cannot come any more."""

    transaction: bytes


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """A header contradicts what was final."""

    header: Header


Step: TypeAlias = Learn | Adopt | Finalise | Announce | Forget | Fork


def take(journal: Journal, step: Step) -> Journal:
    """The journal after a step."""
    if isinstance(step, Learn):
        return chains.learn(journal, step.block)
    if isinstance(step, Adopt):
        return chains.adopt(journal, step.head)
    if isinstance(step, Finalise):
        return chains.finalise(journal, step.final)
    if isinstance(step, Announce):
        return chains.announce(journal, step.debits)
    if isinstance(step, Forget):
        return chains.forget(journal, step.transaction)
    return chains.fork(journal, step.header)


def take_all(journal: Journal, steps: Iterable[Step]) -> Journal:
    """The journal after steps in their order."""
    return reduce(take, steps, journal)
