"""`make bench-pages`: every page of the back office on a million cards."""
