"""One account's margin without its positions: commitments that a circuit can open, and what a proof speaks of."""
