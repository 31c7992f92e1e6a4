"""Opyn's Gamma protocol: vaults of one short option, fully collateralised or naked."""
