"""Live chains: where they are read from, what is read of vaults, and how it joins books, markets and statements."""
