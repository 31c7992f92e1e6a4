"""Chains without an EVM: Solana, of which nothing is proven over RPC, and Cosmos, whose commits prove themselves."""
