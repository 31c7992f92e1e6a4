"""Bybit unified account, cross mode."""
