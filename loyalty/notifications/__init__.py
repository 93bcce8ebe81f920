"""Messages to customers: written with their cause, sent by a periodic task, at most once each.

The ledger leaves a row with a new card or a credit (`loyalty.ledger.outbox`), `schedule_reminders`
one for credit that ends soon, a person one for a statement. What orders earn and the tiers they
reach leave theirs with `announce_earned` and `announce_tier`, what becomes usable is found by
`announce_usable`. `send_due` claims and sends them.
"""

from loyalty.notifications.announcements import (
    announce_earned,
    announce_tier,
    announce_usable,
)
from loyalty.notifications.by_hand import (
    RESENDABLE,
    CannotSend,
    request_statement,
    request_test,
    resend,
    resume_reminders,
    stop_reminders,
)
from loyalty.notifications.delivery import send_due
from loyalty.notifications.reminders import schedule_reminders

__all__ = [
    "RESENDABLE",
    "CannotSend",
    "announce_earned",
    "announce_tier",
    "announce_usable",
    "request_statement",
    "request_test",
    "resend",
    "resume_reminders",
    "schedule_reminders",
    "send_due",
    "stop_reminders",
]
