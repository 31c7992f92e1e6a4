"""Bybit cross mode of short options; section 4 of the rulebook reference."""

from __future__ import annotations


def short_option(index: float, strike: float, call: bool, mark: float, entry: float) -> tuple[float, float]:
    """Initial and maintenance margin of one coin sold, USD."""
    out = max(strike - index, 0.0) if call else max(index - strike, 0.0)
    maintenance = max(0.03 * index, 0.03 * mark) + mark + 0.002 * index
    initial = max(max(0.15 * index - out, 0.1 * index) + max(entry, mark), maintenance)
    return initial, maintenance
