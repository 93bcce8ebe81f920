"""Two customers of a store who turned out to be one."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.customer import Customer
from loyalty.models.operation import Reason


class CustomerMerge(models.Model):
    """What became of a customer who was merged into another, by number: enough to undo it.

    `known` are the parts of the customer's identity that were its own, `completed` those that the
    other one got from it. `cards` changed owner; each with the wallet that took its place, if one
    did. The ledger's operations bear `request_id`, those that undid it `undo_request_id`.
    """

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="merges", verbose_name=_("customer")
    )
    into = models.ForeignKey(
        Customer, models.PROTECT, related_name="merges_into", verbose_name=_("merged into")
    )
    request_id = models.CharField(_("request id"), max_length=128, unique=True)
    known = models.JSONField(_("known of the customer"), default=list)
    completed = models.JSONField(_("completed of the other"), default=list)
    cards = models.JSONField(_("cards"), default=dict)
    orders = models.JSONField(_("orders"), default=list)
    actor = models.CharField(_("actor"), max_length=64)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason)
    note = models.CharField(_("note"), max_length=500, blank=True)
    merged_at = models.DateTimeField(_("merged at"))
    undo_request_id = models.CharField(
        _("request id of the undoing"), max_length=128, null=True, blank=True, unique=True
    )
    undone_by = models.CharField(_("undone by"), max_length=64, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)

    class Meta:
        verbose_name = _("merge of customers")
        verbose_name_plural = _("merges of customers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(undone_at=None), name="customer_merged_once"
            ),
            models.CheckConstraint(
                condition=~Q(customer=models.F("into")), name="customer_merge_of_two"
            ),
            models.CheckConstraint(
                condition=Q(undone_at=None, undo_request_id=None, undone_by="")
                | (Q(undone_at__isnull=False, undo_request_id__isnull=False) & ~Q(undone_by="")),
                name="customer_merge_undone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} → {self.into_id}"
