"""Live chains as a command: read vaults, and write what margin and statements take of them."""
