"""Portfolio margin of customers by ten valuation points for each underlying, as OCC computes it."""
