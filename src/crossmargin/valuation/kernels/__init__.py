"""Pricing kernels on arrays: Black-76, Bachelier, American options, smiles, implied volatility and revaluation."""
