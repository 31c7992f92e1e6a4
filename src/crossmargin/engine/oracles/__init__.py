"""Days on which prices were wrong, or right and terrible, replayed through oracles and a margin account."""
