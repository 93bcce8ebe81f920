"""Wiring: settings, URLs, processes. Nothing here knows a rule of the ledger or of the protocol."""
