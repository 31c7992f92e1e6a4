"""Collateral on chains, told: what each token counts for and why, and how it gets to where it is needed."""
