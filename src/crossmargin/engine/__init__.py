"""The whole way as pure functions: book, snapshot and model in; requirement, equity and their reasons out."""
