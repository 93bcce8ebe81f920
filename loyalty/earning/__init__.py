"""What customers earn by buying: orders come in, rules decide, the ledger follows.

`engine` decides and knows no database; `intake` keeps the orders as last seen; `deciding` writes
what each earns; `settling` has the ledger credit it and take it back from `lots`; `reading` listens
to the stores. `tiers` says which tier a customer has, and knows no database; `standing` keeps it.
`values` knows what a point was worth when; `revaluing` adjusts the cards when that changes.
`traces` has what is kept about people.
"""

from loyalty.earning import traces
from loyalty.earning.intake import announce, order_of, record
from loyalty.earning.reading import announce_window, catch_up, listen, read_due, settle_due
from loyalty.earning.revaluing import revalue_chunk
from loyalty.earning.rewards import look_for_rewards
from loyalty.earning.rules import switch_off, switch_on, switch_on_campaign
from loyalty.earning.settling import carry_out, settle
from loyalty.earning.standing import (
    begin_review,
    grant,
    held_by,
    review_chunk,
    switch_on_scheme,
    tiers_of,
)

__all__ = [
    "announce",
    "announce_window",
    "begin_review",
    "carry_out",
    "catch_up",
    "grant",
    "held_by",
    "listen",
    "look_for_rewards",
    "order_of",
    "read_due",
    "record",
    "revalue_chunk",
    "review_chunk",
    "settle",
    "settle_due",
    "switch_off",
    "switch_on",
    "switch_on_campaign",
    "switch_on_scheme",
    "tiers_of",
    "traces",
]
