"""Paradex: portfolio and cross margin."""
