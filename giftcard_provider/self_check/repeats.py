"""What is sent twice: after a time-out, by a retry, at the same moment."""

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed
from giftcard_provider.self_check.checkout import Checkout, Purchase, transaction_id
from giftcard_provider.self_check.sources import GUIDE, PROTOCOL, issue
from giftcard_provider.self_check.wire import Answer

area = Area("repeats")

_DEBIT = "POST giftcards/{id}/transactions"


@area.check(
    "debit", _("A debit sent again is answered with the same id, and moves nothing more."), PROTOCOL
)
def debit(checkout: Checkout) -> None:
    """The same requestId, the same value."""
    request_id, value = checkout.new_id(), checkout.step * 6
    with checkout.debit(value, request_id=request_id) as purchase, checkout.moves(0, _DEBIT):
        again = checkout.post_debit(checkout.debit_body(value, request_id), note="again")
        _same(again, transaction_id(again), purchase.id)


@area.check(
    "late",
    _("A debit sent again succeeds as before, also when the card is empty by then."),
    issue(740499),
)
def late(checkout: Checkout) -> None:
    """The repetition is recognized before the funds are looked at."""
    request_id, value = checkout.new_id(), checkout.step * 6
    with (
        checkout.debit(value, request_id=request_id) as purchase,
        checkout.debit(checkout.balance()),
    ):
        again = checkout.post_debit(checkout.debit_body(value, request_id), note="card empty")
        _same(again, transaction_id(again), purchase.id)


@area.check(
    "other_value",
    _("A requestId that comes again with another value is refused, and moves nothing."),
    PROTOCOL,
)
def other_value(checkout: Checkout) -> None:
    """Neither as a new debit nor as the old one."""
    request_id, value = checkout.new_id(), checkout.step * 6
    with checkout.debit(value, request_id=request_id) as purchase, checkout.moves(0, _DEBIT):
        body = checkout.debit_body(value + checkout.step, request_id)
        answer = checkout.post_debit(body, note="the same requestId, another value")
        made = checkout.settle_accounts([answer], value + checkout.step)
        with checkout.undone(*(each for each in made if each.id != purchase.id)):
            answer.refused()


@area.check("settlement", _("A settlement sent again is the same one, listed once."), GUIDE)
def settlement(checkout: Checkout) -> None:
    """The same requestId, the same value."""
    with checkout.debit(checkout.step * 10) as purchase:
        _once(purchase, "settlements")


@area.check("cancellation", _("A cancellation sent again gives back once."), issue(464837))
def cancellation(checkout: Checkout) -> None:
    """The same requestId, the same value."""
    with (
        checkout.debit(checkout.step * 10) as purchase,
        checkout.moves(checkout.step * 4, f"{_DEBIT}/{{tid}}/cancellations"),
    ):
        _once(purchase, "cancellations")


@area.check(
    "debit_at_once", _("The same debit, sent several times at once, is one debit."), issue(740499)
)
def debit_at_once(checkout: Checkout) -> None:
    """Whoever comes second may be told to come again; nobody gets another transaction."""
    value = checkout.step * 3
    body = checkout.debit_body(value)
    before = checkout.balance()
    answers = checkout.at_once(lambda _index: checkout.post_debit(body, note="at once"))
    made = checkout.settle_accounts(answers, value)
    with checkout.undone(*made):
        if len(made) != 1:
            raise Failed("accepted_twice", call=answers[0].call, found=len(made), expected=1)
        checkout.expect_balance(before - value, answers[0].call)


@area.check(
    "overdraw_at_once",
    _("Of several debits at once, each of more than half of the balance, one is accepted."),
    PROTOCOL,
)
def overdraw_at_once(checkout: Checkout) -> None:
    """The others are refused."""
    before = checkout.balance()
    steps = int(before / checkout.step)
    value = checkout.step * (steps // 2 + 1)
    bodies = [checkout.debit_body(value) for _number in range(6)]
    answers = checkout.at_once(lambda i: checkout.post_debit(bodies[i], note="at once"))
    made = checkout.settle_accounts(answers, value)
    with checkout.undone(*made):
        if len(made) != 1:
            raise Failed("accepted_twice", call=answers[0].call, found=len(made), expected=1)
        checkout.expect_balance(before - value, answers[0].call)


@area.check(
    "cancellation_at_once",
    _("The same cancellation, sent several times at once, gives back once."),
    issue(464837),
)
def cancellation_at_once(checkout: Checkout) -> None:
    """Listed once, too."""
    request_id, value = checkout.new_id(), checkout.step * 3
    with checkout.debit(checkout.step * 20) as purchase:
        before = checkout.balance()
        answers = checkout.at_once(lambda _index: purchase.cancel(value, request_id))
        purchase.expect_sum("cancellations", value)
        checkout.expect_balance(before + value, answers[0].call)


def _once(purchase: Purchase, kind: str) -> None:
    request_id, value = purchase.checkout.new_id(), purchase.checkout.step * 4
    step = purchase.settle if kind == "settlements" else purchase.cancel
    first, again = step(value, request_id), step(value, request_id)
    _same(again, again.object().get("oid"), first.object().get("oid"))
    purchase.expect_sum(kind, value)


def _same(answer: Answer, found: object, expected: object) -> None:
    if found != expected:
        raise Failed("not_same", call=answer.call, found=found, expected=expected)
