"""Who holds what: accounts, pools, margin groups, positions, open orders and collateral; the rows of q."""
