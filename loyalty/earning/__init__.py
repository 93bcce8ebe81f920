"""What customers earn by buying: orders come in, rules decide, the ledger follows.

`engine` decides and knows no database; `intake` keeps the orders as last seen; `deciding` writes
what each earns; `settling` has the ledger credit it and take it back.
"""

from loyalty.earning.intake import announce, order_of, record
from loyalty.earning.rules import switch_off, switch_on, switch_on_campaign
from loyalty.earning.settling import carry_out, settle

__all__ = [
    "announce",
    "carry_out",
    "order_of",
    "record",
    "settle",
    "switch_off",
    "switch_on",
    "switch_on_campaign",
]
