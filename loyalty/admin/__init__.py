"""The back office's pages. Those of money only show; what changes it are `loyalty.actions`."""

from loyalty.admin import (
    approvals,
    audit,
    batches,
    books,
    cards,
    imports,
    jobs,
    limits,
    movements,
    navigation,
    orders,
    reconciliation,
    search,
    staff,
    stores,
    verdicts,
)

__all__ = [
    "approvals",
    "audit",
    "batches",
    "books",
    "cards",
    "imports",
    "jobs",
    "limits",
    "movements",
    "navigation",
    "orders",
    "reconciliation",
    "search",
    "staff",
    "stores",
    "verdicts",
]
