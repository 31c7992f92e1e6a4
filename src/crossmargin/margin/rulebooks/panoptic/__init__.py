"""Panoptic v1: perpetual options on pools, whose collateral depends on how much of a pool is in use."""
