"""Initial margin by the standard schedule, plainly. Reference, section 23."""

from __future__ import annotations

Trade = tuple[str, float, float, float]  # product, notional (USD), residual term (years), value (USD)


def rate(product: str, years: float) -> float:
    """The share of notional: by term for credit and rates, flat for the rest."""
    if product == "credit":
        return 0.02 if years <= 2.0 else 0.05 if years <= 5.0 else 0.10
    if product == "rates":
        return 0.01 if years <= 2.0 else 0.02 if years <= 5.0 else 0.04
    return 0.06 if product == "fx" else 0.15


def margin(trades: list[Trade]) -> float:
    """0.4·Gross + 0.6·NGR·Gross; NGR is 1 where no trade has a positive value."""
    gross = sum(rate(product, years) * abs(notional) for product, notional, years, _ in trades)
    positive = sum(max(value, 0.0) for *_, value in trades)
    net = max(sum(value for *_, value in trades), 0.0)
    return 0.4 * gross + 0.6 * (net / positive if positive > 0.0 else 1.0) * gross
