"""Scanning by risk arrays of sixteen scenarios, with spreads by delta, as futures exchanges margin portfolios."""
