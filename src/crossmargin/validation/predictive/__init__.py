"""Margins learnt from what was known: features, boosted quantiles, conformal corrections, and where they win."""
