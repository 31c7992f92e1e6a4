"""Vega protocol."""
