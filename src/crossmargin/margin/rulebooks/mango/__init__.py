"""Mango v4."""
