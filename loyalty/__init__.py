"""The credit system: cards, balances, transactions. It knows no HTTP and no VTEX."""
