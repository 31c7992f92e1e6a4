"""Recipes fitted to histories, as data, and the scenarios they give."""
