"""OKX multi-currency margin, cross mode."""
