"""The proof of the books: what changed every night, everything every week; and a chain of entries.

| module | does                                                                             |
|--------|----------------------------------------------------------------------------------|
| chain  | a digest over each card's entries that needs a key which the database does not have |
| work   | goes through the cards chunk by chunk, and keeps what it finds                    |

A difference stops nothing: it is kept, logged as critical, and raised as an alert.
"""

from loyalty.proofs.work import CHAIN, LINKS, open_differences, prove_chunk

__all__ = ["CHAIN", "LINKS", "open_differences", "prove_chunk"]
