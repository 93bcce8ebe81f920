"""What we ask of VTEX: orders and payments for the reconciliation, and our place in the Hub."""
