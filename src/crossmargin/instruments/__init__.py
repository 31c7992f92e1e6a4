"""Contracts as facts: terms, settlement, multiplier, which factors they need; and the columnar table of them."""
