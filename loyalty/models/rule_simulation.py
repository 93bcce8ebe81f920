"""What a rule would have given for past orders."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.models.earning_rule import EarningRule
from loyalty.models.job import Job


class RuleSimulation(models.Model):
    """A rule tried on the orders of a window of days; nothing is given.

    Amounts: `units` of the program, `eligible` in the currency's smallest digits. `by_day` has the
    units of each day, `by_reason` the orders for each reason, `most` the customers who would have
    had the most. `after` is the last customer that was counted.
    """

    rule = models.ForeignKey(
        EarningRule, models.PROTECT, related_name="simulations", verbose_name=_("rule")
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    after = models.BigIntegerField(_("counted up to"), default=0, editable=False)
    orders = models.BigIntegerField(_("orders"), default=0)
    customers = models.BigIntegerField(_("customers"), default=0)
    given_orders = models.BigIntegerField(_("orders that would have earned"), default=0)
    given_customers = models.BigIntegerField(_("customers who would have earned"), default=0)
    eligible = models.BigIntegerField(_("eligible value"), default=0)
    units = models.BigIntegerField(_("would have been given"), default=0)
    by_day = models.JSONField(_("by day"), default=dict)
    by_reason = models.JSONField(_("by reason"), default=dict)
    most = models.JSONField(_("who would have had the most"), default=list)
    is_finished = models.BooleanField(_("finished"), default=False)
    job = models.ForeignKey(Job, models.PROTECT, related_name="+", verbose_name=_("job"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("simulation of a rule")
        verbose_name_plural = _("simulations of rules")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")), name="rule_simulation_days"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.first_day}..{self.last_day}"
