"""Failures of bridges, chains, pegs and oracles on a book, as a command, tables and a page."""
