"""Amounts and bodies, as they are sent and as they should not be."""

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed
from giftcard_provider.self_check.checkout import Checkout, transaction_id
from giftcard_provider.self_check.sources import PROTOCOL, RFC_8259

area = Area("numbers")

_DEBIT = "POST giftcards/{id}/transactions"
# What no debit can be of; bytes take the place of the value in the JSON text.
_NO_AMOUNTS = (b"0", b"-1", b"null", b"true", b'"NaN"', b'"a lot"', b"1e400", b"[1]", b"{}")


@area.check("forms", _("3, 3.0 and 30e-1 are the same amount, and so the same request."), RFC_8259)
def forms(checkout: Checkout) -> None:
    """One requestId, each way to write its value."""
    value, request_id = checkout.step * 3, checkout.new_id()
    text = f"{value:f}"
    tail = "00" if "." in text else ".00"
    scaled = int(value.scaleb(checkout.card.digits + 1))
    with checkout.debit(value, request_id=request_id) as purchase, checkout.moves(0, _DEBIT):
        for form in (f"{text}{tail}", f"{scaled}e-{checkout.card.digits + 1}"):
            answer = checkout.post_debit(_with(checkout, form.encode(), request_id), note=form)
            made = checkout.settle_accounts([answer], value)
            with checkout.undone(*(each for each in made if each.id != purchase.id)):
                found = transaction_id(answer)
                if found != purchase.id:
                    raise Failed("not_same", call=answer.call, found=found, expected=purchase.id)


@area.check("exact", _("Amounts are added and taken exactly, never as binary floats."), PROTOCOL)
def exact(checkout: Checkout) -> None:
    """Small ones after another, and back."""
    value = checkout.step
    with checkout.debit(value * 10) as purchase:
        for _number in range(3):
            with checkout.moves(value, f"{_DEBIT}/{{tid}}/cancellations"):
                purchase.cancel(value).accepted()
        purchase.expect_sum("cancellations", value * 3)


@area.check("no_amount", _("A debit of what is no positive amount is refused."), PROTOCOL)
def no_amount(checkout: Checkout) -> None:
    """Zero, negative, null, texts, endless, no number at all."""
    for value in _NO_AMOUNTS:
        _refused(checkout, _with(checkout, value), f"value {value.decode()}")
    body = checkout.debit_body(None)
    del body["value"]
    _refused(checkout, body, "no value")


@area.check("too_fine", _("An amount finer than the currency is not booked."), PROTOCOL)
def too_fine(checkout: Checkout) -> None:
    """A tenth of its smallest step."""
    value = checkout.step + checkout.step / 10
    _refused(checkout, checkout.debit_body(value), f"value {value:f}")


@area.check("no_request_id", _("A debit without a requestId is refused."), PROTOCOL)
def no_request_id(checkout: Checkout) -> None:
    """It could not be told from the next one."""
    for given in (None, ""):
        body = checkout.debit_body(checkout.step) | {"requestId": given}
        _refused(checkout, body, f"requestId {given!r}")


@area.check("operation", _("An operation other than Debit and Credit is refused."), PROTOCOL)
def operation(checkout: Checkout) -> None:
    """A word that the protocol does not know."""
    body = checkout.debit_body(checkout.step, operation="Transfer")
    _refused(checkout, body, "operation Transfer")


@area.check("malformed", _("A body that is no JSON object is refused, and no fault."), PROTOCOL)
def malformed(checkout: Checkout) -> None:
    """Cut off, empty, something else."""
    for body in (b"{", b"", b"[]", b'"text"', b"\xff\xfe"):
        _refused(checkout, body, f"body {body!r}")


def _with(checkout: Checkout, value: bytes, request_id: str = "") -> bytes:
    """A debit's body with a value that is written exactly so."""
    request_id = request_id or checkout.new_id()
    return b'{"operation": "Debit", "requestId": "%s", "value": %s}' % (request_id.encode(), value)


def _refused(checkout: Checkout, body: object, note: str) -> None:
    with checkout.moves(0, _DEBIT):
        answer = checkout.post_debit(body, note=note)
        with checkout.undone(*checkout.settle_accounts([answer], checkout.step)):
            answer.refused()
