"""What fails without a price: bridges, chains, oracles, pegs; events that happened, and some at once."""
