"""The commands on registries of assets."""
