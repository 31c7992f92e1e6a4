"""Synthetix v3 perpetuals."""
