"""An order of VTEX's Orders API, read into what earning is decided from.

Values are after discounts (`priceDefinition.total`, which is exact for a discount that does not
divide by the pieces). What came back is in the packages that are returns (`type` "Input"), what was
taken out in `changesAttachment`. A seller's order of another marketplace has no buyer of ours.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from giftcard_provider.vtex.fields import amount, mapping, moment, rows, text
from loyalty.identity import Identity
from loyalty.models import Store
from loyalty.money import exponent_of
from loyalty.order_sources import SourceUnreadable
from loyalty.shop_orders import Line, Order, OrderState, Tender

_CANCELED = {"canceled", "cancelled"}
_CARD_GROUPS = {"giftcard", "giftcardpaymentgroup"}
_CARD_SYSTEM = "16"
# Orders write an e-mail under an alias: ana@example.com-9814872b.ct.vtex.com.br.
_ALIAS = re.compile(r"-[0-9a-z]+b?\.ct\.vtex\.com\.br$", re.IGNORECASE)
_OTHER_MARKETPLACE = "fulfillment"


def shop_order(found: Mapping[str, Any], *, store: Store, digits: int) -> Order:
    """The order as it is now. Raises `SourceUnreadable` for what is not as specified."""
    try:
        return _Reading(found, store, digits).order
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise SourceUnreadable("VTEX sent an order that is not as specified.") from error


class _Reading:
    """One order being read; amounts become integers of the currency's smallest digits."""

    def __init__(self, found: Mapping[str, Any], store: Store, digits: int) -> None:
        self._found = found
        self._digits = digits
        preferences = found.get("storePreferencesData") or {}
        self._currency = text(preferences.get("currencyCode")) or store.currency
        self._exponent = exponent_of(store.currency)

    @property
    def order(self) -> Order:
        """All of it."""
        found = self._found
        placed = moment(found.get("creationDate"))
        changed = moment(found.get("lastChange")) or placed
        order_id = text(found.get("orderId"))
        if not order_id or placed is None or changed is None:
            raise SourceUnreadable("VTEX sent an order without an id or a date.")
        state = self._state()
        paid = moment(found.get("authorizedDate"))
        if state == OrderState.INVOICED:
            paid = paid or placed
        return Order(
            order_id=order_id,
            state=state,
            status=text(found.get("status")),
            changed_at=changed,
            placed_at=placed,
            paid_at=paid,
            invoiced_at=self._invoiced(changed) if state == OrderState.INVOICED else None,
            delivered_at=self._delivered(),
            channel=text(found.get("salesChannel")),
            currency=self._currency,
            buyer=self._buyer(),
            buyer_name=self._name(),
            buyer_language=self._language(),
            lines=tuple(self._lines()),
            shipping=self._shipping(),
            tenders=tuple(self._tenders()),
        )

    def _state(self) -> OrderState:
        status = text(self._found.get("status")).lower()
        if status in _CANCELED:
            return OrderState.CANCELED
        if status == "invoiced":
            return OrderState.INVOICED
        return OrderState.PAID if moment(self._found.get("authorizedDate")) else OrderState.PLACED

    # --- Packages ---

    def _packages(self, kind: str) -> list[dict[str, Any]]:
        attached = self._found.get("packageAttachment") or {}
        packages = rows(attached.get("packages") or [], "packages")
        return [each for each in packages if text(each.get("type") or "Output") == kind]

    def _invoiced(self, changed: datetime) -> datetime:
        sold = [moment(each.get("issuanceDate")) for each in self._packages("Output")]
        issued = max((each for each in sold if each), default=None)
        return moment(self._found.get("invoicedDate")) or issued or changed

    def _delivered(self) -> datetime | None:
        """When the last package was delivered; None while one is on its way."""
        instants = []
        for package in self._packages("Output"):
            courier = package.get("courierStatus") or {}
            at = moment(courier.get("deliveredDate"))
            if not courier.get("finished") or at is None:
                return None
            instants.append(at)
        return max(instants, default=None)

    # --- Lines ---

    def _lines(self) -> list[Line]:
        items = rows(self._found.get("items") or [], "items")
        lines = [self._line(item) for item in items]
        lines = self._without_returned(items, lines)
        return self._without_removed(items, lines)

    def _line(self, item: Mapping[str, Any]) -> Line:
        extra = item.get("additionalInfo") or {}
        listed = [
            text(each.get("id")) for each in rows(extra.get("categories") or [], "categories")
        ]
        path = text(extra.get("categoriesIds")).split("/")
        return Line(
            sku=text(item.get("id")),
            value=max(self._value(item), 0),
            reward=self._units(item.get("rewardValue") or 0),
            brand=text(extra.get("brandId")),
            categories=tuple(dict.fromkeys(each for each in (*path, *listed) if each)),
        )

    def _value(self, item: Mapping[str, Any]) -> int:
        definition = item.get("priceDefinition") or {}
        if definition.get("total") is not None:
            return self._units(definition["total"])
        price = item.get("sellingPrice")
        price = item.get("price") if price is None else price
        return self._units(price or 0) * _quantity(item)

    def _without_returned(self, items: list[dict[str, Any]], lines: list[Line]) -> list[Line]:
        """What the return invoices name, by line; one that names none is spread over all."""
        pieces: Counter[int] = Counter()
        spread = 0
        for package in self._packages("Input"):
            named = rows(package.get("items") or [], "items of a package")
            for item in named:
                pieces[int(item.get("itemIndex") or 0)] += _quantity(item)
            if not named:
                spread += self._units(package.get("invoiceValue") or 0)
        lines = [
            _less(line, _part(line, item, pieces[index]))
            for index, (line, item) in enumerate(zip(lines, items, strict=True))
        ]
        total = sum(line.value for line in lines)
        if spread and total:
            lines = [_less(line, -(-spread * line.value // total)) for line in lines]
        return lines

    def _without_removed(self, items: list[dict[str, Any]], lines: list[Line]) -> list[Line]:
        """What was taken out of the order by a change, unless its items say so already."""
        if sum(line.value for line in lines) <= self._goods():
            return lines
        removed: Counter[str] = Counter()
        for change in self._changes():
            for item in rows(change.get("itemsRemoved") or [], "removed items"):
                removed[text(item.get("id"))] += _quantity(item)
        kept = []
        for line, item in zip(lines, items, strict=True):
            pieces = min(removed[line.sku], _quantity(item))
            removed[line.sku] -= pieces
            kept.append(_less(line, _part(line, item, pieces)))
        return kept

    def _changes(self) -> Iterable[dict[str, Any]]:
        attached = self._found.get("changesAttachment") or {}
        return rows(attached.get("changesData") or [], "changes")

    def _goods(self) -> int:
        """The items after discounts, by the order's own totals."""
        return self._total("Items") + self._total("Discounts")

    def _total(self, name: str) -> int:
        totals = rows(self._found.get("totals") or [], "totals")
        return sum(self._units(each.get("value") or 0) for each in totals if each.get("id") == name)

    def _shipping(self) -> int:
        data = self._found.get("shippingData") or {}
        parts = rows(data.get("logisticsInfo") or [], "shipping")
        if any(part.get("sellingPrice") is not None for part in parts):
            return sum(self._units(part.get("sellingPrice") or 0) for part in parts)
        return max(self._total("Shipping"), 0)

    # --- Payment and buyer ---

    def _tenders(self) -> Iterable[Tender]:
        data = self._found.get("paymentData") or {}
        for transaction in rows(data.get("transactions") or [], "transactions"):
            if transaction.get("isActive") is False:
                continue
            for payment in rows(transaction.get("payments") or [], "payments"):
                system = text(payment.get("paymentSystem"))
                yield Tender(
                    system=system,
                    amount=self._units(payment.get("value") or 0),
                    is_credit=system == _CARD_SYSTEM
                    or text(payment.get("group")).lower() in _CARD_GROUPS,
                )

    def _buyer(self) -> Identity:
        profile = self._profile()
        return Identity.of(
            profile_id=profile.get("userProfileId"),
            email=_ALIAS.sub("", text(profile.get("email"))),
            document=profile.get("document"),
            corporate_document=profile.get("corporateDocument"),
        )

    def _name(self) -> str:
        profile = self._profile()
        if profile.get("isCorporate") and profile.get("corporateName"):
            return text(profile["corporateName"])
        return f"{text(profile.get('firstName'))} {text(profile.get('lastName'))}".strip()

    def _language(self) -> str:
        """The locale of the checkout, such as `pt-BR`: messages may be written in it."""
        preferences = self._found.get("clientPreferencesData")
        return text(preferences.get("locale")) if isinstance(preferences, dict) else ""

    def _profile(self) -> dict[str, Any]:
        if text(self._found.get("origin")).lower() == _OTHER_MARKETPLACE:
            return {}
        return mapping(self._found.get("clientProfileData") or {}, "buyer")

    def _units(self, value: Any) -> int:
        units: Decimal = amount(value, digits=self._digits).scaleb(self._exponent)
        return int(units)


def _quantity(item: Mapping[str, Any]) -> int:
    """Pieces; at least one, as it is divided by."""
    return max(int(item.get("quantity") or 1), 1)


def _part(line: Line, item: Mapping[str, Any], pieces: int) -> int:
    """The value of some pieces of a line; exactly all of it for all pieces."""
    quantity = _quantity(item)
    return line.value * min(pieces, quantity) // quantity


def _less(line: Line, value: int) -> Line:
    """The line with so much more of its value come back."""
    return replace(line, returned=min(line.returned + value, line.value))
