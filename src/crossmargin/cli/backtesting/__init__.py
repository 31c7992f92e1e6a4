"""Backtests of margin models, as a command, tables and a page."""
