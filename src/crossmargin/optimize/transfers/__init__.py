"""Which way to take, and what prices on two chains can differ by while nobody gains by closing it."""
