"""What backtests say of margin models: statistics, scores, windows, the frontier, and the report."""
