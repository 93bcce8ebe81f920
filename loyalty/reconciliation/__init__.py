"""The ledger beside the store's own record of orders and payments. It reads, and moves nothing.

| module      | does                                                                    |
|-------------|-------------------------------------------------------------------------|
| workflow    | begins a run, and is the job that goes through it                       |
| schedule    | begins the runs of each night                                           |
| engine      | slice by slice: asks the store, asks the books, has them compared       |
| books       | our side, found by indexes                                              |
| comparison  | one purchase beside our debits: the findings and what would help        |
| differences | findings as they are kept, closed and opened again; what people do      |
| totals      | what is open, by kind and age                                           |
| files       | a CSV file as the other side                                            |

What would help is done by a person: `loyalty.actions.remedies`.
"""

from loyalty.reconciliation.differences import annotate, assign, ignore, take_up
from loyalty.reconciliation.schedule import start_due
from loyalty.reconciliation.workflow import recent, reconcile_chunk, run, start

__all__ = [
    "annotate",
    "assign",
    "ignore",
    "recent",
    "reconcile_chunk",
    "run",
    "start",
    "start_due",
    "take_up",
]
