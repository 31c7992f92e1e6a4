"""dYdX v4."""
