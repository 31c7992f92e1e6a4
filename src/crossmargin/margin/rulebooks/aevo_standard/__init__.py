"""Aevo's standard margin of options, one by one."""
