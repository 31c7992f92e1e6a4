"""Rulebooks listed and chosen: command and tables."""
