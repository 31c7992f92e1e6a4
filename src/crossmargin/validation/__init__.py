"""Is it right: backtest statistics, scores, procyclicality and disclosure, as pure functions on arrays."""
