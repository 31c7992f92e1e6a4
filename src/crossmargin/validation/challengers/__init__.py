"""Models to compare a margin with, each made of the past alone."""
