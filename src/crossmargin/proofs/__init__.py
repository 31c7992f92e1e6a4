"""What a stranger can check: Merkle-sum trees, quantised risk arrays, state proofs, margin statements."""
