"""Chains as they are followed: blocks on branches, what accounts hold, how final it is, and whom to believe."""
