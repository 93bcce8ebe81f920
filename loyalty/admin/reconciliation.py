"""Runs of the reconciliation, and the differences they found. Only shows."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalty.admin.base import ReadOnlyAdmin, badge, link, moment
from loyalty.admin.columns import order_link
from loyalty.admin.formats import NOTHING, shown_money
from loyalty.models import Discrepancy, ReconciliationRun
from loyalty.money import exponent_of

_RUNS = {
    ReconciliationRun.Status.RUNNING: "open",
    ReconciliationRun.Status.DONE: "good",
    ReconciliationRun.Status.FAILED: "bad",
}
_STATES = {
    Discrepancy.Status.OPEN: "open",
    Discrepancy.Status.IGNORED: "neutral",
    Discrepancy.Status.CLOSED: "good",
}
_SEVERITIES = {
    Discrepancy.Severity.LOW: "neutral",
    Discrepancy.Severity.MEDIUM: "open",
    Discrepancy.Severity.HIGH: "bad",
}


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin[ReconciliationRun]):
    """What was compared, how far it is, and how many differences there were."""

    list_display = (
        "started",
        "store",
        "source",
        "by",
        "window",
        "state",
        "done",
        "payments",
        "new",
        "closed",
        "calls",
    )
    list_filter = ("status", "source", "store")
    list_select_related = ("store",)
    fields = (
        "store",
        "source",
        "by",
        "window",
        "state",
        "done",
        "calls",
        "numbers",
        "unreadable",
        "error",
        "requested_by",
        "job_link",
        "started",
        "finished",
    )
    readonly_fields = fields
    started = moment("started_at", _("started at"))
    finished = moment("finished_at", _("finished at"))
    job_link = link("job", _("job"))

    @admin.display(description=_("window"), ordering="since")
    def window(self, run: ReconciliationRun) -> str:
        """From when to when, by the store's clock."""
        first, last = (each.astimezone(run.store.zone) for each in (run.since, run.until))
        return f"{first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M}"  # noqa: RUF001 - a range

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: ReconciliationRun) -> SafeString:
        """Where it is."""
        return badge(_RUNS[ReconciliationRun.Status(run.status)], run.get_status_display())

    @admin.display(description=_("progress"))
    def done(self, run: ReconciliationRun) -> str:
        """How much of the window is compared."""
        return f"{run.percent}%"

    @admin.display(description=_("payments"))
    def payments(self, run: ReconciliationRun) -> int:
        """How many were compared."""
        return int(run.counts.get("payments", 0))

    @admin.display(description=_("new differences"))
    def new(self, run: ReconciliationRun) -> int:
        """Found for the first time."""
        return int(run.counts.get("new", 0))

    @admin.display(description=_("closed"))
    def closed(self, run: ReconciliationRun) -> int:
        """Differences that were gone."""
        return int(run.counts.get("closed", 0))

    @admin.display(description=_("counts"))
    def numbers(self, run: ReconciliationRun) -> SafeString | str:
        """Everything that was counted."""
        return _lines(
            (_COUNTS.get(name, name), number) for name, number in sorted(run.counts.items())
        )

    @admin.display(description=_("could not be read"))
    def unreadable(self, run: ReconciliationRun) -> SafeString | str:
        """The first orders that could not be read, and why."""
        return _lines((line, "") for line in run.progress.get("unreadable", []))


_COUNTS = {
    **dict(Discrepancy.Kind.choices),
    "purchases": _("purchases"),
    "payments": _("payments"),
    "looked_up": _("looked up one by one"),
    "moving": _("left alone: moved within the hour"),
    "unreadable": _("could not be read"),
    "new": _("new differences"),
    "known": _("differences known already"),
    "reopened": _("differences that came back"),
    "closed": _("differences that are gone"),
}


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin[Discrepancy]):
    """Each difference, with both sides' figures and what would help."""

    list_display = (
        "kind_link",
        "store",
        "weight",
        "at_risk",
        "order",
        "card_link",
        "remedy",
        "state",
        "seen",
        "assigned_to",
    )
    list_display_links = ("kind_link",)
    list_filter = ("status", "kind", "severity", "remedy", "store")
    list_select_related = ("store", "card", "assigned_to")
    search_fields = ("key", "order_group", "transaction__public_id", "card__public_id")
    search_help_text = _("Order, payment, transaction or card id.")
    fields = (
        "kind_link",
        "state",
        "weight",
        "at_risk",
        "order",
        "card_link",
        "transaction_link",
        "our_figures",
        "their_figures",
        "proof",
        "remedy",
        "assigned_to",
        "note",
        "ignored_because",
        "run_link",
        "first",
        "seen",
        "gone",
        "reopened",
    )
    readonly_fields = fields
    card_link = link("card", _("gift card"))
    transaction_link = link("transaction", _("transaction"))
    run_link = link("run", _("first found by"))
    first = moment("first_seen", _("first seen"))
    seen = moment("last_seen", _("last seen"))
    gone = moment("closed_at", _("closed at"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discrepancy]:
        """What is worst first, of the same severity the newest."""
        return super().get_queryset(request).order_by("-severity", "-pk")

    @admin.display(description=_("kind"), ordering="kind")
    def kind_link(self, discrepancy: Discrepancy) -> str:
        """What is different."""
        return str(discrepancy.get_kind_display())

    @admin.display(description=_("severity"), ordering="severity")
    def weight(self, discrepancy: Discrepancy) -> SafeString:
        """How bad it is."""
        kind = _SEVERITIES[Discrepancy.Severity(discrepancy.severity)]
        return badge(kind, discrepancy.get_severity_display())

    @admin.display(description=_("amount at risk"), ordering="amount")
    def at_risk(self, discrepancy: Discrepancy) -> str:
        """How much of whose money."""
        currency = discrepancy.currency
        return shown_money(discrepancy.amount, currency, exponent_of(currency))

    @admin.display(description=_("order"), ordering="order_group")
    def order(self, discrepancy: Discrepancy) -> str:
        """The order, leading to everything that touched it."""
        return order_link(discrepancy.order_group)

    @admin.display(description=_("status"), ordering="status")
    def state(self, discrepancy: Discrepancy) -> SafeString:
        """Open, ignored or gone."""
        kind = _STATES[Discrepancy.Status(discrepancy.status)]
        return badge(kind, discrepancy.get_status_display())

    @admin.display(description=_("our figures"))
    def our_figures(self, discrepancy: Discrepancy) -> SafeString | str:
        """Line by line."""
        return _figures(discrepancy.ours)

    @admin.display(description=_("the store's figures"))
    def their_figures(self, discrepancy: Discrepancy) -> SafeString | str:
        """Line by line."""
        return _figures(discrepancy.theirs)

    @admin.display(description=_("evidence"))
    def proof(self, discrepancy: Discrepancy) -> SafeString | str:
        """Line by line."""
        return _figures(discrepancy.evidence)


_FIGURES = {
    "amount": _("amount"),
    "held": _("held"),
    "settled": _("settled"),
    "released": _("released"),
    "refunded": _("refunded"),
    "returned": _("given back"),
    "status": _("status"),
    "currency": _("currency"),
    "card": _("gift card"),
    "transaction": _("transaction"),
    "payment": _("payment"),
    "reward": _("reward"),
    "credits": _("credits"),
    "orders": _("orders"),
    "order_status": _("status of the order"),
    "tid": _("our id there"),
    "reason": _("reason"),
    "debit_at": _("purchase here"),
}
_REASONS = {
    "no_debit": _("There is no purchase of this payment here."),
    "no_id": _("The store kept no id of the purchase here: it can neither settle nor cancel it."),
    "no_order": _("The store knows no such order."),
    "no_order_named": _("The purchase names no order, and the store knows none of it."),
    "no_payment": _("The order has no payment of this purchase."),
    "twice": _("Credit was given more than once for this order."),
    "missing": _("The order is invoiced, and its credit was not given."),
}


def _figures(figures: dict[str, Any]) -> SafeString | str:
    return _lines(
        (_FIGURES.get(name, name), _cell(name, value))
        for name, value in figures.items()
        if value not in (None, "")
    )


def _cell(name: str, value: Any) -> Any:
    if name == "reason":
        return _REASONS.get(value, value)
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _lines(rows: Any) -> SafeString | str:
    lines = [(f"{label}: {value}" if value != "" else label,) for label, value in rows]
    return format_html_join("", "<div>{}</div>", lines) if lines else NOTHING
