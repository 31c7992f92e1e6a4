"""Which assets exist on which chains, what stands behind them, and since when."""
