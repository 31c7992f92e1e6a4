"""Speed as ratios to what a user would pick instead, measured in the same run: `python -m benchmarks [case …]`."""
