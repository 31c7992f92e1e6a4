"""Fitting models to histories, as commands and reports."""
