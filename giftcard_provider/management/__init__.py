"""Commands of the protocol."""
