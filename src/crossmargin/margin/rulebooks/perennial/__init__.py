"""Perennial v2."""
