"""OKX portfolio margin."""
