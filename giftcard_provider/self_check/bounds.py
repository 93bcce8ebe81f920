"""More than there is: VTEX is known to ask for it."""

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area
from giftcard_provider.self_check.checkout import Checkout
from giftcard_provider.self_check.sources import GUIDE, PROTOCOL, issue

area = Area("bounds")

_CANCEL = "POST giftcards/{id}/transactions/{tid}/cancellations"


@area.check("over_settle", _("No more than the debit is settled, at once or in parts."), GUIDE)
def over_settle(checkout: Checkout) -> None:
    """The refused one is not listed."""
    with checkout.debit(checkout.step * 10) as purchase:
        purchase.settle(checkout.step * 11).refused()
        purchase.settle(checkout.step * 6).accepted()
        purchase.settle(checkout.step * 5).refused()
        purchase.expect_sum("settlements", checkout.step * 6)


@area.check(
    "over_cancel", _("No more than the debit is given back, at once or in parts."), issue(464837)
)
def over_cancel(checkout: Checkout) -> None:
    """Held or settled alike."""
    with checkout.debit(checkout.step * 10) as purchase:
        with checkout.moves(checkout.step * 6, _CANCEL):
            purchase.cancel(checkout.step * 11).refused()
            purchase.cancel(checkout.step * 6).accepted()
            purchase.cancel(checkout.step * 5).refused()
        purchase.expect_sum("cancellations", checkout.step * 6)


@area.check(
    "full_after_partial",
    _("The whole value asked back after a part gives no more than the rest."),
    issue(309117),
)
def full_after_partial(checkout: Checkout) -> None:
    """The rest may be given or the request refused; the list tells what was given."""
    with checkout.debit(checkout.step * 10) as purchase:
        before = checkout.balance()
        purchase.cancel(checkout.step * 4).accepted()
        answer = purchase.cancel(checkout.step * 10)
        if not answer.is_ok:
            answer.refused()
        given = checkout.step * (10 if answer.is_ok else 4)
        purchase.expect_sum("cancellations", given)
        checkout.expect_balance(before + given, answer.call)


@area.check(
    "nothing_left", _("What was given back in full is neither given back nor settled."), PROTOCOL
)
def nothing_left(checkout: Checkout) -> None:
    """With other request ids."""
    with checkout.debit(checkout.step * 10) as purchase:
        purchase.cancel(checkout.step * 10).accepted()
        with checkout.moves(0, _CANCEL):
            purchase.cancel(checkout.step * 10).refused()
            purchase.cancel(checkout.step).refused()
            purchase.settle(checkout.step * 10).refused()
        purchase.expect_sum("settlements", checkout.step * 0)


@area.check("settled_in_full", _("What was settled in full is not settled again."), PROTOCOL)
def settled_in_full(checkout: Checkout) -> None:
    """With another request id."""
    with checkout.debit(checkout.step * 10) as purchase:
        purchase.settle(checkout.step * 10).accepted()
        purchase.settle(checkout.step * 10).refused()
        purchase.expect_sum("settlements", checkout.step * 10)
