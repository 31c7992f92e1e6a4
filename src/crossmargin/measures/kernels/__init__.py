"""Reductions of positions × scenarios to measures per account, without the matrix in between."""
