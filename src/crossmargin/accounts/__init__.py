"""What is held against what must be held: the health of each pool."""
