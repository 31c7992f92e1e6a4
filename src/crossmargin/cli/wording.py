"""Figures and names as people read them: the same for the terminal and for the page.

Everything here is plain text; whoever puts it in a page escapes it.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Final, NamedTuple

from crossmargin.engine.reports import Provenance, Sampling, Term

MINUS: Final = "−"

NEVER: Final = "never"
_CONTROLS: Final = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "�")

# Names of CAIP-2 identifiers, from the CAIP namespaces (namespaces.chainagnostic.org) and, for eip155, the list of
# ethereum-lists/chains; what is not here is shown by its identifier.
CHAIN_NAMES: Final = {
    "bip122:000000000019d6689c085ae165831e93": "Bitcoin",
    "eip155:1": "Ethereum",
    "eip155:10": "Optimism",
    "eip155:56": "BNB Smart Chain",
    "eip155:137": "Polygon",
    "eip155:8453": "Base",
    "eip155:42161": "Arbitrum One",
    "eip155:43114": "Avalanche C-Chain",
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": "Solana",
    "tron:0x2b6653dc": "Tron",
}

_SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def printable(text: str) -> str:
    """Text whose control characters cannot steer a terminal, nor break markup.

    >>> printable("desk\x1b[2J")
    'desk�[2J'
    """
    return text.translate(_CONTROLS)


class Column(NamedTuple):
    """A heading, and whether it stands over words (left, may wrap) or over numbers (right, never cut)."""

    heading: str
    words: bool = False


def _signed(text: str, *, plus: bool = False) -> str:
    """Write the sign of a formatted number as typeset text, without a sign on zero."""
    if not any(digit in text for digit in "123456789"):
        return text.lstrip("+-")
    if text.startswith("-"):
        return MINUS + text[1:]
    return f"+{text}" if plus else text


def usd(value: float, *, plus: bool = False) -> str:
    """USD with thousands separators: whole from 100 on, cents below.

    >>> usd(-412300.4), usd(12.345), usd(0.0), usd(5e6, plus=True)
    ('−412,300', '12.35', '0', '+5,000,000')
    """
    whole = abs(value) >= 99.995 or abs(value) < 0.005
    return _signed(f"{value:,.0f}" if whole else f"{value:,.2f}", plus=plus)


def compact(value: float) -> str:
    """A figure in three digits, for cells and ticks.

    >>> compact(-1_412_300), compact(41_230), compact(999_600), compact(7.25), compact(0.0)
    ('−1.41M', '41.2k', '1M', '7.25', '0')
    """
    size = abs(value)
    for scale, suffix in _SUFFIXES:
        if size >= 0.9995 * scale:
            return _signed(trimmed(f"{value / scale:.{_decimals(size / scale)}f}") + suffix)
    return _signed(trimmed(f"{value:.{_decimals(size)}f}"))


def _decimals(size: float) -> int:
    return 0 if size >= 99.95 else 1 if size >= 9.995 else 2


def trimmed(text: str) -> str:
    """A decimal number without zeros at its end."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(value: float) -> str:
    """A quoted price: to the cent from 100 on, in five digits below.

    >>> price(71423.5), price(5321.25), price(1.08234), price(0.000123456)
    ('71,423.5', '5,321.25', '1.0823', '0.00012346')
    """
    return _signed(trimmed(f"{value:,.{2 if abs(value) >= 100.0 else _places(value, 5)}f}"))


def level(value: float) -> str:
    """A computed price, such as that of a liquidation, in five digits.

    >>> level(51210.6), level(814.416), level(0.0541)
    ('51,211', '814.42', '0.0541')
    """
    return _signed(trimmed(f"{value:,.{_places(value, 5)}f}"))


def _places(value: float, digits: int) -> int:
    return max(0, digits - 1 - _exponent(abs(value)))


def _exponent(size: float) -> int:
    return int(f"{size:e}".rsplit("e", maxsplit=1)[-1])


def quantity(value: float) -> str:
    """An amount or a number of contracts, up to four decimals, or four digits where it is small.

    >>> quantity(-1250000.5), quantity(0.00031234), quantity(40.0)
    ('−1,250,000.5', '0.0003123', '40')
    """
    size = abs(value)
    return _signed(trimmed(f"{value:,.{4 if size >= 1.0 else _places(value, 4)}f}"))


def percent(value: float, *, digits: int = 1, plus: bool = False) -> str:
    """A decimal as percent.

    >>> percent(0.7512), percent(-0.16, plus=True), percent(2.0)
    ('75.1 %', '−16 %', '200 %')
    """
    return _signed(trimmed(f"{100.0 * value:,.{digits}f}") + " %", plus=plus)


def usd_or_blank(value: float | None) -> str:
    """USD as `usd` writes it, nothing for what is not known."""
    return "" if value is None else usd(value)


def ratio(value: float | None) -> str:
    """A margin ratio; None is an account without equity that must hold something."""
    return "no equity" if value is None else percent(value)


def moment(as_of_ms: int) -> str:
    """`2026-03-31 15:30:00 UTC` of integer milliseconds.

    >>> moment(1_774_971_000_000)
    '2026-03-31 15:30:00 UTC'
    """
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=as_of_ms)).strftime(
        "%Y-%m-%d %H:%M:%S UTC"
    )


def label_text(label: str) -> str:
    """A scenario's label with typeset minus signs.

    >>> label_text("BTC -16.0 %, vol up")
    'BTC −16.0 %, vol up'
    """
    return re.sub(r"(?<!\S)-(?=\d)", MINUS, label)


def chain_name(chain: str) -> str:
    """The name of a chain where it has a common one, else its CAIP-2 identifier; nothing for what is on no chain."""
    return CHAIN_NAMES.get(chain, chain)


def chain_words(chain: str) -> str:
    """The name of a chain and its CAIP-2 identifier."""
    name = CHAIN_NAMES.get(chain)
    return f"{name} ({chain})" if name else chain


def named(count: int, noun: str, nouns: str = "") -> str:
    """`1 account`, `12 accounts`; `nouns` is the plural where it is another."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def measure_words(provenance: Provenance) -> str:
    """The measure and the number of scenarios it reads, or a rule without scenarios."""
    if provenance.sampling is not None:
        return sampling_words(provenance.sampling)
    if not provenance.scenarios:
        return provenance.measure.replace("_", " ")
    return f"{provenance.measure.replace('_', ' ')} of {named(provenance.scenarios, 'scenario')}"


def sampling_words(sampling: Sampling) -> str:
    """A statistical measure, its level, its scenarios and their horizon.

    >>> sampling_words(Sampling(measure="value_at_risk", level=0.99, scenarios=1000, tail=10, horizon_days=1.0))
    'value at risk at 99 % of 1,000 scenarios over 1 day'
    """
    over = "" if sampling.horizon_days is None else f" over {days(sampling.horizon_days)}"
    return f"{risk_words(sampling)} of {named(sampling.scenarios, 'scenario')}{over}"


def risk_words(sampling: Sampling) -> str:
    """`expected shortfall at 97.5 %`."""
    return f"{sampling.measure.replace('_', ' ')} at {percent(sampling.level, digits=3)}"


def days(horizon: float) -> str:
    """A horizon in days, or in hours below one.

    >>> days(1.0), days(5.0), days(0.25)
    ('1 day', '5 days', '6 hours')
    """
    amount, noun = (horizon, "day") if horizon >= 1.0 else (24.0 * horizon, "hour")
    return f"{trimmed(f'{amount:.2f}')} {noun}{'' if amount == 1.0 else 's'}"


def term_name(term: Term) -> str:
    """The name of a term in words.

    >>> term_name(Term(name="offset_cap", initial=1.0, maintenance=1.0))
    'offset cap'
    """
    return term.name.replace("_", " ")


def order_size(contracts: float | None) -> str:
    """The largest order in five digits, rounded down so that it still fits; None where no limit was found.

    >>> order_size(4_911_262.674), order_size(134.8427), order_size(0.0), order_size(None)
    ('4,911,200', '134.84', '0', 'no limit found')
    """
    if contracts is None:
        return "no limit found"
    if contracts <= 0.0:
        return "0"
    step = 10.0 ** (_exponent(contracts) - 4)
    return level(math.floor(contracts / step * (1.0 + 1e-12)) * step)


def relative(target: float | None, now: float) -> float | None:
    """The move from `now` to `target`, as a share of |now|; None without a target or a price."""
    return None if target is None or now == 0.0 else (target - now) / abs(now)
