"""Contracts: compiled on this machine, deployed, and spoken to in their ABI."""
