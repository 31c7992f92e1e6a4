"""The world at one instant, frozen: prices, carry curves, vol surfaces, correlations, liquidity and oracle marks."""
