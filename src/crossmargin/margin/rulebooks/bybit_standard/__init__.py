"""Bybit's cross margin of options, one by one."""
