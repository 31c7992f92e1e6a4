"""Deribit's standard margin: options one by one, futures by size."""
