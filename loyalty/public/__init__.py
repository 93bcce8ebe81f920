"""The pages that customers reach from a message, without signing in."""
