"""The commands on oracles: marks of quotes, and days replayed."""
