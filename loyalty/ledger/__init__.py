"""The only code that moves money.

Each verb is one durable transaction on one card (`issue_many`, `expire_many`: on many; `merge`,
`unmerge`: on all cards of two customers), and happens once for each request id:

| verb              | movement                                            |
|-------------------|-----------------------------------------------------|
| issue, issue_many | outside → available, on a new card                  |
| credit            | outside → available                                 |
| authorize         | available → held                                    |
| settle            | held → spent                                        |
| cancel (debit)    | held → available, then spent → available            |
| cancel (credit)   | available → removed                                 |
| expire(_many)     | available → expired                                 |
| adjust            | outside → available, or available → removed         |
| revalue           | outside → available, or available → removed         |
| reverse           | available → removed, or removed → available         |
| block, unblock    | nothing                                             |
| change_owner      | nothing                                             |
| extend            | expired → available, if anything was booked         |
| renew             | available → expired, if anything is due             |
| close             | available → removed                                 |
| merge, unmerge    | available → outside here, outside → available there |
"""

from loyalty.ledger.credits import Expiries, adjust, credit, expire, expire_many
from loyalty.ledger.durability import locked_in_time, rehearsal
from loyalty.ledger.idempotency import Recall, StepRecall, recall_purchase, recall_step
from loyalty.ledger.issuance import NewCard, issue, issue_many
from loyalty.ledger.merging import merge, unmerge
from loyalty.ledger.purchases import authorize, cancel, settle
from loyalty.ledger.revaluing import revalue
from loyalty.ledger.reversals import reverse
from loyalty.ledger.states import block, change_owner, close, extend, renew, unblock

__all__ = [
    "Expiries",
    "NewCard",
    "Recall",
    "StepRecall",
    "adjust",
    "authorize",
    "block",
    "cancel",
    "change_owner",
    "close",
    "credit",
    "expire",
    "expire_many",
    "extend",
    "issue",
    "issue_many",
    "locked_in_time",
    "merge",
    "recall_purchase",
    "recall_step",
    "rehearsal",
    "renew",
    "revalue",
    "reverse",
    "settle",
    "unblock",
    "unmerge",
]
