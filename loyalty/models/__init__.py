"""The nouns of the credit system, one a file. Money tables are written only by `loyalty.ledger`."""

from loyalty.models.approval import Approval
from loyalty.models.audit import AuditAction, AuditEvent
from loyalty.models.balance import Balance
from loyalty.models.batch import Batch, BatchOwner, ImportFile
from loyalty.models.books import (
    BookActive,
    BookCause,
    BookCohort,
    BookDay,
    BookJoined,
    BookProgress,
    ExpiringMoney,
    MonthClosing,
    MonthClosingLine,
    OpenHold,
)
from loyalty.models.card import GiftCard
from loyalty.models.customer import Customer
from loyalty.models.customer_merge import CustomerMerge
from loyalty.models.earning import Earning, EarningMovement
from loyalty.models.earning_rule import Campaign, EarningPolicy, EarningRule
from loyalty.models.entry import Bucket, Entry
from loyalty.models.grant import Funding, Grant, Origin
from loyalty.models.job import Job, JobKind
from loyalty.models.notification import (
    DECLINABLE,
    MessageKind,
    MessageText,
    Notification,
    NotificationStatus,
    ReminderProgress,
    Skipped,
)
from loyalty.models.operation import Operation, OperationKind, Outcome, Reason
from loyalty.models.order_listening import OrderListening
from loyalty.models.periodic import Alert, PeriodicWork
from loyalty.models.point_value import PointValueChange, point_units_of, scale_since
from loyalty.models.program import Program
from loyalty.models.proof import ChainLink, Proof, ProofDifference
from loyalty.models.reconciliation import (
    Discrepancy,
    DiscrepancyKind,
    ReconciliationFile,
    ReconciliationRun,
)
from loyalty.models.return_payment import ReturnPayment
from loyalty.models.rule_simulation import RuleSimulation
from loyalty.models.shop_order import ShopOrder
from loyalty.models.staff import Spending, SpendingLimit, StaffProfile
from loyalty.models.store import Language, Store
from loyalty.models.tier import TierCause, TierChange, TierGrant, TierScheme, TierStanding
from loyalty.models.transaction import Transaction

__all__ = [
    "DECLINABLE",
    "Alert",
    "Approval",
    "AuditAction",
    "AuditEvent",
    "Balance",
    "Batch",
    "BatchOwner",
    "BookActive",
    "BookCause",
    "BookCohort",
    "BookDay",
    "BookJoined",
    "BookProgress",
    "Bucket",
    "Campaign",
    "ChainLink",
    "Customer",
    "CustomerMerge",
    "Discrepancy",
    "DiscrepancyKind",
    "Earning",
    "EarningMovement",
    "EarningPolicy",
    "EarningRule",
    "Entry",
    "ExpiringMoney",
    "Funding",
    "GiftCard",
    "Grant",
    "ImportFile",
    "Job",
    "JobKind",
    "Language",
    "MessageKind",
    "MessageText",
    "MonthClosing",
    "MonthClosingLine",
    "Notification",
    "NotificationStatus",
    "OpenHold",
    "Operation",
    "OperationKind",
    "OrderListening",
    "Origin",
    "Outcome",
    "PeriodicWork",
    "PointValueChange",
    "Program",
    "Proof",
    "ProofDifference",
    "Reason",
    "ReconciliationFile",
    "ReconciliationRun",
    "ReminderProgress",
    "ReturnPayment",
    "RuleSimulation",
    "ShopOrder",
    "Skipped",
    "Spending",
    "SpendingLimit",
    "StaffProfile",
    "Store",
    "TierCause",
    "TierChange",
    "TierGrant",
    "TierScheme",
    "TierStanding",
    "Transaction",
    "point_units_of",
    "scale_since",
]
