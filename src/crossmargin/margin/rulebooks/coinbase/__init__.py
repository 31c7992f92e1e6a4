"""Coinbase International Exchange."""
