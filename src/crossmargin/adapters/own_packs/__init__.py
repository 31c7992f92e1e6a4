"""Conformance packs in Crossmargin's own format, which users write from the answers of their venue."""
