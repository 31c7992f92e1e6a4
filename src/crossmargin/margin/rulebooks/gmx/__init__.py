"""GMX v2."""
