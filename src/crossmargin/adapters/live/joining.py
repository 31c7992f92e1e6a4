"""What was read of live chains, joined to a book and to a market: tokens with level and trust, and how chains do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from crossmargin.adapters.live.reading import Balance, VaultReading
from crossmargin.adapters.live.sources import Vault
from crossmargin.core.errors import DuplicateName, InvalidInput, UnknownName
from crossmargin.core.finality import HEALTH_NAMES, LEVEL_NAMES, TRUST_NAMES
from crossmargin.market.document import MarketDocument
from crossmargin.market.representations.document import ChainsDocument, ChainState
from crossmargin.portfolio.document import Account, BookDocument, Group, Holding


def token_text(amount: int, decimals: int) -> str:
    """An amount of smallest units in whole tokens, exactly.

    >>> token_text(1_500_000, 6), token_text(-1, 18), token_text(7, 0)
    ('1.500000', '-0.000000000000000001', '7')
    """
    return format(Decimal(f"{amount}E-{decimals}"), "f")


def counted_text(amount: int, decimals: int) -> str:
    """An amount in whole tokens as a book can count it: the largest float64 that is not above it.

    >>> counted_text(1_500_000, 6), counted_text(123_456_789_012_345_678_901, 18)
    ('1.500000', '123.45678901234567')
    """
    exact = Decimal(f"{amount}E-{decimals}")
    nearest = float(exact)
    if Decimal(repr(nearest)) == exact:
        return token_text(amount, decimals)
    return repr(math.nextafter(nearest, -math.inf) if Decimal(repr(nearest)) > exact else nearest)


def holdings(readings: Iterable[VaultReading]) -> dict[str, tuple[Holding, ...]]:
    """What was read, as lines of collateral by the account or pool of the book: one for each token and level.

    An owner who has nothing has no line, and is among the keys."""
    found: dict[str, tuple[Holding, ...]] = {}
    for reading in readings:
        for balance in reading.balances:
            found[balance.account] = (*found.get(balance.account, ()), *_lines(reading.vault, balance, reading))
    return found


def _lines(vault: Vault, balance: Balance, reading: VaultReading) -> tuple[Holding, ...]:
    return tuple(
        Holding(
            instance=vault.instance,
            amount=counted_text(amount, vault.decimals),
            level=LEVEL_NAMES[level],
            trust=TRUST_NAMES[reading.trust],
        )
        for level, amount in sorted(balance.levels.items(), reverse=True)
        if amount
    )


def instances_of(held: Mapping[str, tuple[Holding, ...]]) -> tuple[str, ...]:
    """The tokens of which somebody has any, by name."""
    return tuple(sorted({line.instance for lines in held.values() for line in lines}))


def book_alone(held: Mapping[str, tuple[Holding, ...]]) -> BookDocument:
    """A book of the collateral alone."""
    return BookDocument(accounts=tuple(Account(id=account, collateral=lines) for account, lines in held.items()))


def joined_book(book: BookDocument, held: Mapping[str, tuple[Holding, ...]], *, where: str) -> BookDocument:
    """A book with what was read among the collateral of its accounts, and of groups named `account/group`.

    Raises `UnknownName` for an account that it lacks, and `DuplicateName` where it states a token for an account whose
    balance of it is read: there would be two truths."""
    left = dict(held)
    accounts = tuple(_joined_account(account, left, f"{where}: {account.id}") for account in book.accounts)
    for name in left:
        names = [account.id for account in book.accounts]
        remedy = "Add the account to the book, or name another one in the sources."
        raise UnknownName("account", where=where, value=name, known=names, remedy=remedy)
    return msgspec.structs.replace(book, accounts=accounts)


def _joined_account(account: Account, left: dict[str, tuple[Holding, ...]], where: str) -> Account:
    """The account with what is `left` for it and its groups, which is taken away there."""
    own = _added(account.collateral, left.pop(account.id, ()), where)
    groups = tuple(_joined_group(group, left.pop(f"{account.id}/{group.id}", ()), where) for group in account.groups)
    return msgspec.structs.replace(account, collateral=own, groups=groups)


def _joined_group(group: Group, lines: Sequence[Holding], where: str) -> Group:
    return msgspec.structs.replace(group, collateral=_added(group.collateral, lines, f"{where}/{group.id}"))


def _added(stated: tuple[Holding, ...], read: Sequence[Holding], where: str) -> tuple[Holding, ...]:
    instances = {line.instance for line in read}
    for line in stated:
        if line.instance.lower() in instances:
            raise DuplicateName("collateral", where=where, value=line.instance, first="what was read of its chain")
    return (*stated, *read)


def chain_states(readings: Iterable[VaultReading]) -> tuple[ChainState, ...]:
    """How each chain does, as a market states it: by the worst of its vaults."""
    found: dict[str, VaultReading] = {}
    for reading in readings:
        chain = reading.vault.chain
        worst = found.setdefault(chain, reading)
        found[chain] = max(worst, reading, key=lambda one: (one.condition.health, one.condition.final_age_s))
    return tuple(
        ChainState(chain=chain, health=HEALTH_NAMES[one.condition.health], final_age_s=one.condition.final_age_s)
        for chain, one in found.items()
    )


def joined_market(
    market: MarketDocument, states: Sequence[ChainState], instances: Iterable[str], *, where: str
) -> MarketDocument:
    """A market in which the chains that were read stand as they were found; others stay as they are stated.

    Raises `InvalidInput` for a market that lacks one of the token `instances` that were read: its liquidity and price
    are no matter of the chain, and nothing is assumed of them."""
    chains = market.chains or ChainsDocument()
    stated = {one.instance.lower() for one in chains.instances}
    for instance in instances:
        if instance.lower() not in stated:
            raise InvalidInput(
                "asset instance",
                where=f"{where}: chains.instances",
                value=instance,
                limit="stated, as it was read of its chain",
                remedy="State its liquidity there, and of a bridged one its market price.",
            )
    read = {state.chain for state in states}
    kept = (state for state in chains.chains if state.chain not in read)
    return msgspec.structs.replace(market, chains=msgspec.structs.replace(chains, chains=(*kept, *states)))
