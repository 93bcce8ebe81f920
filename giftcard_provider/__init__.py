"""The VTEX Gift Card Provider Protocol, served over the ledger of `loyalty`."""
