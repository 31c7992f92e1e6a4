"""What it costs to bring collateral to another chain: command, report and tables."""
