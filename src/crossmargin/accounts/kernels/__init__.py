"""Compiled loops over accounts that act on each other through prices."""
