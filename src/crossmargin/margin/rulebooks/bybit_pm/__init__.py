"""Bybit unified account, portfolio margin."""
