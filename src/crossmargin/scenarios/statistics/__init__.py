"""Volatility, tails and dependence, as formulas on arrays."""
