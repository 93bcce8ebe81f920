"""The only code that moves money.

Each verb is one durable transaction on one card, and happens once for each request id:

| verb              | movement                                            |
|-------------------|-----------------------------------------------------|
| issue             | outside → available, on a new card                  |
| credit            | outside → available                                 |
| authorize         | available → held                                    |
| settle            | held → spent                                        |
| cancel (debit)    | held → available, then spent → available            |
| cancel (credit)   | available → removed                                 |
| expire            | available → expired                                 |
| adjust            | outside → available, or available → removed         |
| block, unblock    | nothing                                             |
| renew             | available → expired, if anything is due             |
| close             | available → removed                                 |
"""

from loyalty.ledger.credits import adjust, credit, expire, issue
from loyalty.ledger.idempotency import Recall, StepRecall, recall_purchase, recall_step
from loyalty.ledger.purchases import authorize, cancel, settle
from loyalty.ledger.states import block, close, renew, unblock

__all__ = [
    "Recall",
    "StepRecall",
    "adjust",
    "authorize",
    "block",
    "cancel",
    "close",
    "credit",
    "expire",
    "issue",
    "recall_purchase",
    "recall_step",
    "renew",
    "settle",
    "unblock",
]
