"""Prices from many sources to one mark with its uncertainty, and what a peg is worth."""
