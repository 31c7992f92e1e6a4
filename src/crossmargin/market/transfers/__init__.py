"""How value gets from one chain to another: routes, their fees, gas and rate limits, and what a transfer costs and takes."""
