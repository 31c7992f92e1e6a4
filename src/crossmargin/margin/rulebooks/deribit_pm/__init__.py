"""Deribit's portfolio margin, segregated by currency of settlement or with cross collateral."""
