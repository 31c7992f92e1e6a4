"""What to do: how much more fits."""
