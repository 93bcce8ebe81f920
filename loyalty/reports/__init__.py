"""The figures of finance, from the entries and exact to the unit.

`sums` keeps sums of the entries so that millions of them are read fast; `flows` puts those and the
entries that are not summed yet together; the reports are made of flows:

| module          | answers                                                               |
|-----------------|-----------------------------------------------------------------------|
| outstanding     | what the store owes, as of any instant                                |
| roll_forward    | how that went from month to month                                     |
| cohorts         | what became of the credit of each month                               |
| closings        | what it was when a month was closed, and whether that changed         |
| expiring, holds | what is about to expire; what has been held for long                  |

Amounts are in the finest units of a currency (`amounts`); currencies are never added.
"""

from loyalty.reports.closings import close_months
from loyalty.reports.expiring import count_expiring
from loyalty.reports.sums import aggregate_due, rebuild, verify

__all__ = ["aggregate_due", "close_months", "count_expiring", "rebuild", "verify"]
