"""Prices as their sources send them, in bytes, to quotes for the gates."""
