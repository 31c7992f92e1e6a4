"""What vaults hold, drawn: one bar for each account and chain, all of one token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from crossmargin.cli.live.report import BalanceRow
from crossmargin.cli.report.svg import LINE, Markup, bar, chart, legend, money_axis, row_texts, rows, scale
from crossmargin.cli.wording import chain_name, named, quantity

_AXIS: Final = 2 * LINE + 6.0
_ADDRESS: Final = re.compile(r"(0x[0-9a-f]{4})[0-9a-f]{32}([0-9a-f]{4})")


def balance_bars(balances: Sequence[BalanceRow], width: float) -> Markup:
    """Final tokens, parted into what counts and what is asked back, and behind them the credits that are pending."""
    alone = len({row.account for row in balances}) == 1
    names = [chain_name(row.chain) if alone else f"{chain_name(row.chain)} · {_short(row.account)}" for row in balances]
    parted = [(float(row.final), -float(row.debits), float(row.pending)) for row in balances]
    figures = [quantity(final - asked) for final, asked, _ in parted]
    place = rows(names, figures, width, top=LINE + 6.0)
    ends = [final - asked for final, asked, _ in parted] + [final + pending for final, _, pending in parted]
    across = scale(ends, place.left, place.right, pad=0.01)
    symbol = balances[0].symbol
    parts = [money_axis(across, place.top, place.bottom, title=f"whole {symbol}")]
    for i, (final, asked, pending) in enumerate(parted):
        counted, y = final - asked, place.y(i)
        pieces = (
            (0.0, counted, "counts" if counted >= 0.0 else "owed", "counts" if counted >= 0.0 else "asked beyond it"),
            (max(counted, 0.0), final, "haircut", "final and asked back"),
            (final, final + pending, "capped", "pending"),
        )
        for start, end, class_, words in pieces:
            if end != start:
                tip = f"{balances[i].account}: {quantity(abs(end - start))} {symbol} {words}"
                parts.append(bar(across(start), across(end), y, place.bar_height, class_, tip=tip))
    parts.append(row_texts(place, names, figures))
    parts.append(legend([("counts", "counts"), ("haircut", "asked back"), ("capped", "pending")], place.left, 10.0))
    return chart(
        f"{symbol} in {named(len(balances), 'balance')}: final, asked back and pending",
        width,
        place.bottom + _AXIS,
        *parts,
    )


def _short(account: str) -> str:
    """Its name with addresses cut in the middle: what tells them apart stands at both ends."""
    return _ADDRESS.sub(r"\1…\2", account)
