"""Liquidation cascades around a book, as a command, tables and a page."""
