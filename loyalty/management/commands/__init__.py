"""Commands of the credit system."""
