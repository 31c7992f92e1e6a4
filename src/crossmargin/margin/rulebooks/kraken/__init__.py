"""Kraken futures."""
