"""Drift v2."""
