"""Recursions over dates, for all factors at once."""
