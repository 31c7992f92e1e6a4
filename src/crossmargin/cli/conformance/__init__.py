"""Conformance with the reference vectors of other engines: command and tables."""
