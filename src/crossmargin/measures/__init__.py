"""One row of P&L over scenarios to one number: worst, value at risk, expected shortfall, weighted."""
