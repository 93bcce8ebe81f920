"""Every refusal of the ledger, each with a stable `code` and one sentence in English.

`Decline` is a final answer to a request: it is recorded and a repeated request meets it again. The
others (malformed, unknown, conflicting, busy) leave no row. No HTTP here: the protocol maps them.
"""

from collections.abc import Mapping
from typing import ClassVar

from django.utils.translation import gettext_noop


class LedgerError(Exception):
    """Something the ledger did not do; nothing moved."""

    code: ClassVar[str] = "ledger_error"
    message: ClassVar[str] = gettext_noop("The operation was not carried out.")

    def __init__(self, *positions: int) -> None:
        """Remember which it is about, of many asked for together; the first is 0."""
        super().__init__()
        self.positions = positions

    def __str__(self) -> str:
        return self.message


class InvalidAmount(LedgerError):
    """Zero, negative, not finite, finer than the currency, or beyond what the ledger can hold."""

    code = "invalid_amount"
    message = gettext_noop("The amount must be positive and no finer than the currency allows.")


class InvalidRequestId(LedgerError):
    """Missing, longer than the ledger keeps, or with characters that text cannot hold."""

    code = "invalid_request_id"
    message = gettext_noop("A request id of 1 to 128 characters is needed.")


class PointValueUnderWay(LedgerError):
    """Cards are still being adjusted to the change before."""

    code = "point_value_under_way"
    message = gettext_noop(
        "Cards are still being adjusted to another point value. Wait until that is done."
    )


class ImportWaits(LedgerError):
    """A file whose points were counted by the value that is to change."""

    code = "import_waits"
    message = gettext_noop("An import of this program is not finished. Apply or discard it first.")


class PointValueOutdated(LedgerError):
    """The point is not worth what the person saw, or is worth that much already."""

    code = "point_value_outdated"
    message = gettext_noop(
        "The point value has been changed meanwhile. Go back and open this page again."
    )


class InvalidDates(LedgerError):
    """The end does not come after the beginning."""

    code = "invalid_dates"
    message = gettext_noop("The expiry must come after the start of validity.")


class ReasonRequired(LedgerError):
    """An adjustment without a reason, or with one that is not on the list."""

    code = "reason_required"
    message = gettext_noop("Choose a reason for this change.")


class UnknownCurrency(LedgerError):
    """Not an ISO 4217 currency in use."""

    code = "unknown_currency"
    message = gettext_noop("This currency is not known.")


class UnknownCard(LedgerError):
    """No such card in this store; another store's card answers the same."""

    code = "unknown_card"
    message = gettext_noop("There is no such card.")


class UnknownTransaction(LedgerError):
    """No such transaction on this card."""

    code = "unknown_transaction"
    message = gettext_noop("There is no such transaction on this card.")


class UnknownCustomer(LedgerError):
    """No such customer in this store, or one that was erased."""

    code = "unknown_customer"
    message = gettext_noop("There is no such customer in this store.")


class DuplicateCode(LedgerError):
    """The store already has a card with this redemption code."""

    code = "duplicate_code"
    message = gettext_noop("A card with this code already exists in the store.")


class WalletExists(LedgerError):
    """The customer already has a wallet for this relation."""

    code = "wallet_exists"
    message = gettext_noop("The customer already has this wallet.")


class BatchNumberTaken(LedgerError):
    """The batch already has a card with this number."""

    code = "batch_number_taken"
    message = gettext_noop("The batch already has a card with this number.")


class CardChanged(LedgerError):
    """The card has moved since the caller looked."""

    code = "card_changed"
    message = gettext_noop("The card has changed since: look at it again.")


class NotReversible(LedgerError):
    """Not an adjustment of this card that was carried out."""

    code = "not_reversible"
    message = gettext_noop("Only an adjustment that was carried out can be reversed.")


class SameCustomer(LedgerError):
    """A customer who was to be merged with themselves."""

    code = "same_customer"
    message = gettext_noop("This is the same customer. Choose the other one.")


class IdentitiesDiffer(LedgerError):
    """Two customers with another document or profile id of the same kind: two people."""

    code = "identities_differ"
    message = gettext_noop(
        "Their documents or VTEX profile ids differ, so these are two people. Nothing was merged."
        " When one of them is wrong, give the cards to the right customer one by one: change their"
        " owner."
    )


class AlreadyMerged(LedgerError):
    """One of the two was merged into another customer already."""

    code = "already_merged"
    message = gettext_noop(
        "One of the two was merged into another customer already. Open that customer instead."
    )


class NotMerged(LedgerError):
    """A merge to be undone that was undone already."""

    code = "not_merged"
    message = gettext_noop("This merge was undone already.")


class WalletBlocked(LedgerError):
    """Money would move from or to a blocked wallet."""

    code = "wallet_blocked"
    message = gettext_noop(
        "One of the wallets that would become one is blocked. Unblock it or close it first."
    )


class TooManyCards(LedgerError):
    """More cards than one transaction should lock."""

    code = "too_many_cards"
    message = gettext_noop(
        "They have more than 500 cards together. Give the cards of one to the other first: change"
        " their owner."
    )


class MergeTouched(LedgerError):
    """What was merged has moved on since, so that it cannot be put back as it was."""

    code = "merge_touched"
    message = gettext_noop(
        "Something of what was merged has been used, moved or merged on since. The merge stays;"
        " put right what is wrong by hand."
    )


class InvalidCode(LedgerError):
    """An imported code that is empty, too long or holds characters that cannot be typed."""

    code = "invalid_code"
    message = gettext_noop("A code needs 4 to 255 printable characters.")


class RequestConflict(LedgerError):
    """The request id was used before with another meaning."""

    code = "request_conflict"
    message = gettext_noop("This request id was already used for something else.")


class BatchNotReady(LedgerError):
    """A batch that was asked for something in a state in which that makes no sense."""

    code = "batch_not_ready"
    message = gettext_noop("The batch is not in a state for this; look at its page.")


class DifferenceOutdated(LedgerError):
    """What a difference proposes was found before the purchase last moved, or was found anew."""

    code = "difference_outdated"
    message = gettext_noop("This purchase has moved since it was compared. Compare again first.")


class ReturnOutdated(LedgerError):
    """Another return of the same order was paid since this one was asked for."""

    code = "return_outdated"
    message = gettext_noop("Another return of this order was paid since. Look at the order again.")


class BatchUsed(LedgerError):
    """A batch cannot be undone as a whole once one of its cards was used."""

    code = "batch_used"
    message = gettext_noop(
        "Some cards of this batch were used already; close the others one by one instead."
    )


class LedgerBusy(LedgerError):
    """The lock could not be had in time, or the outcome is unknown: repeat the same request."""

    code = "busy"
    message = gettext_noop("The ledger is busy; repeat the same request.")


class Decline(LedgerError):
    """A final refusal: recorded, so that a late duplicate does not succeed after all."""

    code = "declined"


class CardBlocked(Decline):
    """The card is blocked by the store."""

    code = "card_blocked"
    message = gettext_noop("The card is blocked.")


class CardClosed(Decline):
    """The card is closed for good."""

    code = "card_closed"
    message = gettext_noop("The card is closed.")


class CardExpired(Decline):
    """The card's last instant has passed."""

    code = "card_expired"
    message = gettext_noop("The card has expired.")


class CardNotYetValid(Decline):
    """The card's first instant has not come."""

    code = "card_not_yet_valid"
    message = gettext_noop("The card is not valid yet.")


class InsufficientBalance(Decline):
    """More than is usable now."""

    code = "insufficient_balance"
    message = gettext_noop("The card's usable balance does not cover the amount.")


class RedemptionRefused(Decline):
    """More of the order, or less, than the program's rule lets its credit pay."""

    code = "redemption_refused"
    message = gettext_noop("The program's rule does not let its credit pay this much of the order.")


class SingleUseCardSpent(Decline):
    """A second purchase on a card for one purchase."""

    code = "single_use_card_spent"
    message = gettext_noop("The card allows one purchase and has had it.")


class WrongOwner(Decline):
    """A restricted card in the hands of someone else."""

    code = "wrong_owner"
    message = gettext_noop("The card belongs to another customer.")


class WrongToken(Decline):
    """The redemption token is not this card's."""

    code = "wrong_token"
    message = gettext_noop("The redemption token is not valid for this card.")


class WrongCurrency(Decline):
    """A card of one currency in a store of another; nothing is ever exchanged."""

    code = "wrong_currency"
    message = gettext_noop("The card's currency is not the store's.")


class NotReloadable(Decline):
    """A second credit on a card that takes only one."""

    code = "not_reloadable"
    message = gettext_noop("The card cannot be reloaded.")


class BalanceLimitExceeded(Decline):
    """The card would hold more than the ledger can count."""

    code = "balance_limit_exceeded"
    message = gettext_noop("The card cannot hold that much.")


class ExceedsHold(Decline):
    """A settlement of more than is still held (known issue 1201336: the full invoice again)."""

    code = "exceeds_hold"
    message = gettext_noop("More than what is still held cannot be settled.")


class ExceedsTransaction(Decline):
    """A cancellation of more than is left of the debit (known issue 309117)."""

    code = "exceeds_transaction"
    message = gettext_noop("More than what is left of the transaction cannot be canceled.")


class CreditSpent(Decline):
    """A reversal of more than is still available of the credit."""

    code = "credit_spent"
    message = gettext_noop("The credit was already spent; what is left is less than the amount.")


class BelowZero(Decline):
    """An adjustment that would take more than is available."""

    code = "below_zero"
    message = gettext_noop("The adjustment would take more than is available.")


class MoneyHeld(Decline):
    """A card with open holds cannot be closed."""

    code = "money_held"
    message = gettext_noop(
        "Part of the balance is held by open purchases; settle or cancel them first."
    )


class AlreadyReversed(Decline):
    """A second reversal of the same operation."""

    code = "already_reversed"
    message = gettext_noop("The operation was already reversed.")


MESSAGES: Mapping[str, str] = {
    error.code: error.message
    for error in list(globals().values())
    if isinstance(error, type) and issubclass(error, LedgerError)
}
"""What each code says, in English."""
