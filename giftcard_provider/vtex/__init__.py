"""What we ask of VTEX: its orders and payments, for the reconciliation."""
