"""Does a test notice when a rule is broken? Every mutation here has to turn one red.

`python -m tests.mutations.run` breaks a copy of the tree in one place after the other, runs the
tests that should notice, and writes what killed each mutation into docs/mutations.md.
"""
