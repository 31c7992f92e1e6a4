"""Prove an account's margin without its positions."""
