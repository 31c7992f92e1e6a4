"""Model cards, as a command."""
