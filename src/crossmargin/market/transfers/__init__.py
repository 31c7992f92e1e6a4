"""How value gets from one chain to another: routes, their fees and rate limits, and what a transfer costs and takes."""
