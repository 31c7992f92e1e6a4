"""A margin run as an epoch that strangers can check: R and positions in integers, audited, and committed.

An account of the epoch is a pool: what shares collateral. Its worst loss is that of all its positions together over
the scenarios of the run; orders, terms beyond the scan and the factors of a requirement stand in the report, not here.
Its collateral is what the run recognised, line by line, each rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Final

import numpy as np

from crossmargin.core.arrays import FloatArray, IntArray, frozen
from crossmargin.core.errors import EpochRefused, InvalidInput
from crossmargin.core.finality import LEVELS
from crossmargin.engine.accounts import provenance
from crossmargin.engine.margin import MarginResult
from crossmargin.instruments.terms import AnyTerms, Token
from crossmargin.measures.reduce import Measure, reduce_rows
from crossmargin.proofs.claims import Claim
from crossmargin.proofs.collateral_lines import DECIMALS_MAX, WEIGHT_ONE, CollateralLine, counted
from crossmargin.proofs.quantise import MONEY_DECIMALS, Audit, audit, quantise_pnl, quantise_positions
from crossmargin.proofs.statement import Epoch, Inputs, commit_epoch

_MONEY: Final = 10**MONEY_DECIMALS
_NO_REGISTRY: Final = "00" * 32


def attest(result: MarginResult, *, epoch: int, secret: bytes, claims: Sequence[Claim] = ()) -> Epoch:
    """The epoch of a margin run over one book; `secret` are 32 bytes of the prover's own, which hide amounts.

    `claims` are what storage slots hold that collateral was counted from, for a contract to contradict.

    Raises `EpochRefused` where the engine's floats and the integers differ by more than rounding explains, and
    `InvalidInput` for a debt among the collateral, which no line can state."""
    book, rows, known = result.book, result.plan.pnl.values, provenance(result)
    first = np.searchsorted(book.group_pool, np.arange(len(book.pools) + 1))
    ptr, positions = frozen(book.positions.ptr[first], np.int64), book.positions
    pnl = quantise_pnl(rows, instruments=book.table.ids, scenarios=result.plan.scenarios.labels)
    held = quantise_positions(ptr, frozen(positions.instrument, np.int64), positions.quantity, pnl)
    loss = engine_losses(result, ptr)
    check_audit(audit(loss, positions.quantity, rows, held, pnl), book.pools)
    lines = collateral_lines(result)
    return commit_epoch(
        epoch=epoch,
        as_of_ms=known.as_of_ms,
        inputs=Inputs(
            snapshot=known.snapshot_hash,
            scenario_set=known.scenario_hash,
            model=known.model_hash,
            book=known.book_hash,
            registry=known.registry_hash or _NO_REGISTRY,
        ),
        pnl=pnl,
        book=held,
        accounts=book.pools,
        collateral=[sum(map(counted, part)) for part in lines],
        secret=secret,
        claims=claims,
        lines=lines,
    )


def engine_losses(result: MarginResult, ptr: IntArray) -> FloatArray:
    """The worst loss of each pool as the engine sums it in floats [pool], USD; `ptr` are positions by pool."""
    positions = result.book.positions
    return reduce_rows(ptr, positions.instrument, positions.quantity, result.plan.pnl.values, Measure())[0]


def check_audit(judged: Audit, names: tuple[str, ...]) -> None:
    """Raises `EpochRefused` for the account that is furthest from its integer loss."""
    if judged.accepted:
        return
    worst = judged.refused[np.abs(judged.excess_usd[judged.refused]).argmax()]
    raise EpochRefused(
        "integer loss",
        where=f"account {names[worst]!r}, one of {len(judged.refused)}",
        value=float(judged.excess_usd[worst]),
        limit=f"above the engine's by 0 to {judged.bound_usd[worst]:.2e} USD, ± {judged.slack_usd[worst]:.2e}",
        remedy="Run the margin again; if it stays, do not publish it.",
    )


def collateral_lines(result: MarginResult) -> list[list[CollateralLine]]:
    """What is held in each pool, as the run recognised it [pool, line]; a holding of nothing has no line.

    Of lines of one instance the one that is furthest on its way to finality comes first."""
    book, found = result.book, result.holdings
    amounts, recognised = book.holdings.quantity.tolist(), found.recognised.tolist()
    names = zip(book.holdings.owner.tolist(), book.holdings.instrument.tolist(), strict=True)
    lines: list[list[tuple[int, CollateralLine]]] = [[] for _ in book.pools]
    for (pool, row), amount, gross, left in zip(names, amounts, found.gross.tolist(), recognised, strict=True):
        if amount < 0.0:
            raise InvalidInput(
                "debt",
                where=f"pool {book.pools[pool]!r}, {book.table.ids[row]}",
                value=amount,
                limit="what is held",
                remedy="Repay it, or leave its account out of the epoch.",
            )
        if amount > 0.0:
            lines[pool].append((_level(book.table.terms[row]), _line(result, row, amount, gross, left)))
    return [[line for _, line in sorted(part, key=lambda one: (one[1].instance, -one[0]))] for part in lines]


def _level(terms: AnyTerms) -> int:
    return LEVELS[terms.level] if isinstance(terms, Token) else 0


def _line(result: MarginResult, row: int, amount: float, gross: float, left: float) -> CollateralLine:
    """One holding: its price and its weight are rounded down, so it never counts for more than was recognised."""
    terms, chains = result.book.table.terms[row], result.plan.snapshot.chains
    name, held = result.book.table.ids[row], Decimal(repr(amount))
    decimals = min(max(-int(held.as_tuple().exponent), 0), DECIMALS_MAX)
    if isinstance(terms, Token) and chains is not None:
        name, decimals = terms.instance, chains.registry.instances[terms.instance].decimals
    price = Decimal(gross) / Decimal(amount) * _MONEY
    weight = Decimal(left) / Decimal(gross) * WEIGHT_ONE if gross > 0.0 else Decimal(0)
    return CollateralLine(
        instance=name,
        amount=str(_floor(held.scaleb(decimals))),
        decimals=decimals,
        price=str(_floor(price)),
        weight=min(_floor(weight), WEIGHT_ONE),
    )


def _floor(number: Decimal) -> int:
    return int(number.to_integral_value(rounding=ROUND_FLOOR))
