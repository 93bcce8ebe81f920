"""A file of the store's payments as a source: the same comparison without keys for VTEX.

CSV, UTF-8, comma or semicolon, with a header; one line for each payment with one of our cards:

| column        | is                                                                 | needed |
|---------------|--------------------------------------------------------------------|--------|
| order         | the order, with or without its number at the end (-01)             | yes    |
| amount        | in major units, with a point or a comma: 28.40                     | yes    |
| authorized_at | date and time in ISO form; without a zone in that of the store     | yes    |
| payment       | VTEX's id of the payment                                           | one of |
| tid           | our id of the transaction                                          | both   |
| card          | our id of the card                                                 | no     |
| currency      | the store's, unless given                                          | no     |
| status        | open, finished or canceled; VTEX's words do, too                   | no     |
| settled       | what was settled, in major units; empty: not known                 | no     |
| returned      | what was released or refunded, in major units; empty: not known    | no     |
| invoiced      | yes when the order is invoiced                                     | no     |
| changed_at    | when the payment last changed                                      | no     |

Other columns are not read, so that no customer's data is kept.
"""

import csv
import datetime
import io
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext_noop

from loyalty.models import Store
from loyalty.order_sources import (
    OrderSource,
    Payment,
    PaymentStatus,
    Purchase,
    SourceUnreadable,
    Window,
    WindowKind,
)

MAX_BYTES, MAX_ROWS = 20 * 1024 * 1024, 200_000
REQUIRED = ("order", "amount", "authorized_at")

_STATUSES = {
    **dict.fromkeys(("", "open", "authorized", "approved"), PaymentStatus.OPEN),
    **dict.fromkeys(("finished", "settled"), PaymentStatus.FINISHED),
    **dict.fromkeys(("canceled", "cancelled"), PaymentStatus.CANCELED),
}
_YES = {"yes", "true", "1", "sim", "si", "sí", "invoiced", "faturado"}


_NO_NUMBER = gettext_noop("an amount is not a number")


class _Odd(ValueError):
    """What is wrong with a line, for people."""


class FileOrders(OrderSource):
    """Everything that a file tells; what it does not, nobody can be asked. Whole in memory."""

    answers_look_ups = False

    def __init__(self, store: Store, content: bytes) -> None:
        super().__init__(store)
        self._by_group = _purchases(store, content)
        groups = self._by_group.values()
        self._dated = {
            WindowKind.AUTHORIZED: sorted(groups, key=_authorized),
            WindowKind.CHANGED: sorted(groups, key=_changed),
        }

    def purchases(self, window: Window) -> Iterator[Purchase]:
        """From the file, by date."""
        key = _authorized if window.kind == WindowKind.AUTHORIZED else _changed
        rows = self._dated[window.kind]
        first = bisect_left(rows, window.since, key=key)
        last = bisect_right(rows, window.until, key=key)
        for row in rows[first:last]:
            yield row[2]

    def detailed(self, purchase: Purchase) -> Purchase:
        """There is no more than that."""
        return purchase

    def look_up(self, *, order_id: str, tid: str) -> Purchase | None:
        """By the order, if the file has it at all."""
        found = self._by_group.get(_group_of(order_id))
        return found[2] if found else None

    def span(self, kind: WindowKind) -> Window:
        """The window of everything in the file, by one of its dates."""
        key = _authorized if kind == WindowKind.AUTHORIZED else _changed
        rows = self._dated[kind]
        return Window(kind, key(rows[0]), key(rows[-1]) + datetime.timedelta(seconds=1))


_Dated = tuple[datetime.datetime, datetime.datetime, Purchase]


def _authorized(row: _Dated) -> datetime.datetime:
    return row[0]


def _changed(row: _Dated) -> datetime.datetime:
    return row[1]


def _purchases(store: Store, content: bytes) -> Mapping[str, _Dated]:
    groups: defaultdict[str, list[tuple[Mapping[str, str], Payment]]] = defaultdict(list)
    for number, row in enumerate(_rows(content), start=2):
        try:
            groups[_group_of(row["order"])].append((row, _payment(store, row)))
        except (ValueError, InvalidOperation) as error:
            raise SourceUnreadable(
                gettext_noop("Line %(number)s cannot be read: %(why)s."),
                number=number,
                why=str(error) if isinstance(error, _Odd) else _NO_NUMBER,
            ) from None
    if not groups:
        raise SourceUnreadable(gettext_noop("The file has no payments."))
    return {group: _purchase(store, group, rows) for group, rows in groups.items()}


def _rows(content: bytes) -> Iterator[Mapping[str, str]]:
    if len(content) > MAX_BYTES:
        raise SourceUnreadable(
            gettext_noop("The file is larger than 20 MB. Cut it in parts by date.")
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceUnreadable(
            gettext_noop("The file is not UTF-8. Save it as CSV UTF-8.")
        ) from None
    header = text.partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in REQUIRED if name not in names]
    if missing or not {"payment", "tid"} & set(names):
        wanted = ", ".join(missing) or "payment or tid"
        raise SourceUnreadable(gettext_noop("The file has no column %(name)s."), name=wanted)
    reader.fieldnames = names
    for number, row in enumerate(reader):
        if number >= MAX_ROWS:
            raise SourceUnreadable(
                gettext_noop("The file has more than %(most)s lines. Cut it by date."),
                most=MAX_ROWS,
            )
        cells = {name: (row.get(name) or "").strip() for name in names}
        if any(cells.values()):
            yield cells


def _payment(store: Store, row: Mapping[str, str]) -> Payment:
    if not row["order"] or not (row.get("payment") or row.get("tid")):
        raise _Odd(gettext_noop("it needs an order, and a payment or tid"))
    status = row.get("status", "").lower()
    if status not in _STATUSES:
        raise _Odd(gettext_noop("its status is not known"))
    return Payment(
        payment_id=row.get("payment", ""),
        tid=row.get("tid", ""),
        card_id=row.get("card", ""),
        provider=store.provider_id,
        currency=row.get("currency", "").upper() or store.currency,
        amount=_amount(row["amount"]),
        status=_STATUSES[status],
        settled=_amount(row["settled"]) if row.get("settled") else None,
        returned=_amount(row["returned"]) if row.get("returned") else None,
        status_text=status,
    )


def _amount(text: str) -> Decimal:
    amount = Decimal(text.replace(",", ".") if "." not in text else text)
    if not amount.is_finite() or amount < 0:
        raise _Odd(_NO_NUMBER)
    return amount


def _purchase(
    store: Store, group: str, rows: Sequence[tuple[Mapping[str, str], Payment]]
) -> _Dated:
    try:
        authorized = min(_moment(row["authorized_at"], store) for row, _ in rows)
        changed = [_moment(row["changed_at"], store) for row, _ in rows if row.get("changed_at")]
    except ValueError:
        raise SourceUnreadable(
            gettext_noop("A date of the order %(order)s cannot be read."), order=group[:40]
        ) from None
    payments = {payment.payment_id or payment.tid: payment for _, payment in rows}
    changed_at = max(changed, default=None)
    purchase = Purchase(
        group=group,
        order_ids=tuple(sorted({row["order"] for row, _ in rows})),
        status="",
        is_invoiced=all(row.get("invoiced", "").lower() in _YES for row, _ in rows),
        is_canceled=all(each.status == PaymentStatus.CANCELED for each in payments.values()),
        changed_at=changed_at,
        payments=tuple(payments.values()),
    )
    return authorized, changed_at or authorized, purchase


def _moment(text: str, store: Store) -> datetime.datetime:
    parsed = datetime.datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=store.zone)


def _group_of(order_id: str) -> str:
    group, dash, number = order_id.rpartition("-")
    return group if dash and number.isdecimal() else order_id
