"""What customers earn by buying: orders come in, rules decide, the ledger follows.

`engine` decides and knows no database; `intake` keeps the orders as last seen; `deciding` writes
what each earns; `settling` has the ledger credit it and take it back;
`reading` listens to the stores.
"""

from loyalty.earning.intake import announce, order_of, record
from loyalty.earning.reading import announce_window, catch_up, listen, read_due, settle_due
from loyalty.earning.rules import switch_off, switch_on, switch_on_campaign
from loyalty.earning.settling import carry_out, settle

__all__ = [
    "announce",
    "announce_window",
    "carry_out",
    "catch_up",
    "listen",
    "order_of",
    "read_due",
    "record",
    "settle",
    "settle_due",
    "switch_off",
    "switch_on",
    "switch_on_campaign",
]
