"""What could happen: scenarios as columns of shocks, one row per risk factor."""
