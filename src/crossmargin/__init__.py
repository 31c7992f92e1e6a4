"""Margin for one account over all its assets, venues and chains."""
