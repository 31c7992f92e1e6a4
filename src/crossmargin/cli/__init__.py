"""Commands, and the reports that they print and write."""
