"""Tiers in words: what a scheme asks and gives, how a customer came to a tier, what comes next."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.admin import charts
from loyalty.admin.earning_texts import shown_units, shown_value
from loyalty.admin.formats import shown_day, shown_decimal
from loyalty.earning.standing import Held
from loyalty.earning.tiers import Because, Scheme, Tier
from loyalty.models import Program, TierScheme
from loyalty.models.tier import TierBasis, TierPeriod


def shown_counted(counted: int, basis: str, program: Program) -> str:
    """What counts for a tier: money of the store, or what rules gave."""
    show = shown_units if basis == TierBasis.POINTS else shown_value
    return show(counted, program)


def period_in_words(scheme: Scheme | TierScheme) -> str:
    """Over which time it counts."""
    if scheme.period == TierPeriod.ROLLING:
        days = scheme.days or 0
        return ngettext("in %(days)s day", "in %(days)s days", days) % {"days": days}
    if scheme.period == TierPeriod.MONTH:
        return _("in a calendar month, this one or the one before")
    return _("in a calendar year, this one or the one before")


def tier_in_words(tier: Mapping[str, Any], scheme: TierScheme) -> str:
    """`Gold: from R$300.00, 2 times as much, valid for 730 days`."""
    parts = [
        _("from %(amount)s")
        % {"amount": shown_counted(tier["threshold"], scheme.basis, scheme.program)}
        if tier["threshold"]
        else _("everyone"),
    ]
    times = Decimal(tier["multiplier"])
    if times != 1:
        parts.append(_("%(times)s times as much") % {"times": shown_decimal(times)})
    if days := tier["validity_days"]:
        parts.append(
            ngettext("valid for %(days)s day", "valid for %(days)s days", days) % {"days": days}
        )
    return f"{tier['name']}: {', '.join(parts)}"


def cause_in_words(held: Held) -> str:
    """How a customer came to be where they are; empty before the first scheme."""
    standing, program, grant = held.standing, held.program, held.grant
    scheme = standing.scheme
    if scheme is None:
        return ""
    counted = _("%(counted)s %(period)s") % {
        "counted": shown_counted(standing.counted, scheme.basis, program),
        "period": period_in_words(scheme),
    }
    if grant and standing.because == Because.GRANTED:
        return _("Granted by %(person)s until %(day)s: %(reason)s. By buying: %(counted)s.") % {
            "person": grant.given_by.username,
            "day": shown_day(grant.until, program.store),
            "reason": grant.reason,
            "counted": counted,
        }
    if standing.because == Because.GRACE:
        return _("Kept during the days of grace: %(counted)s.") % {"counted": counted}
    if standing.because == Because.REACHED:
        return _("Reached: %(counted)s.") % {"counted": counted}
    return _("Nothing reached yet: %(counted)s.") % {"counted": counted}


def ladder_of_tiers(held: Held, name: str) -> SafeString:
    """The tiers from the highest down: how far the customer came, and where they stand."""
    standing, program = held.standing, held.program
    scheme = standing.scheme
    if scheme is None:
        return SafeString()
    rungs = [
        charts.Rung(
            label=_tier_from(tier, scheme, program),
            permille=standing.counted * 1000 // tier.threshold if tier.threshold else 1000,
            text=_way_to(tier, held, scheme),
            is_current=tier.name == standing.name,
        )
        for tier in sorted(scheme.tiers, key=lambda tier: -tier.threshold)
    ]
    title = _("%(program)s: tier %(tier)s, %(counted)s counted") % {
        "program": program,
        "tier": standing.name or _("none"),
        "counted": shown_counted(standing.counted, scheme.basis, program),
    }
    return charts.ladder(title, rungs, name=name)


def _tier_from(tier: Tier, scheme: Scheme, program: Program) -> str:
    if not tier.threshold:
        return tier.name
    return _("%(tier)s, from %(amount)s") % {
        "tier": tier.name,
        "amount": shown_counted(tier.threshold, scheme.basis, program),
    }


def _way_to(tier: Tier, held: Held, scheme: Scheme) -> str:
    """What is missing for a tier; of the one that the customer has, how it came about."""
    standing = held.standing
    if tier.name == standing.name:
        return {
            Because.GRACE: _("kept during the days of grace"),
            Because.GRANTED: _("granted by staff"),
        }.get(standing.because, _("reached"))
    if tier.threshold <= standing.counted:
        return _("reached")
    missing = shown_counted(tier.threshold - standing.counted, scheme.basis, held.program)
    return _("%(missing)s missing") % {"missing": missing}


def next_in_words(held: Held) -> str:
    """What is missing for the next tier, and when this one changes if nothing is bought."""
    standing, program = held.standing, held.program
    scheme = standing.scheme
    if scheme is None:
        return ""
    lines = []
    enough = max(standing.tier.threshold if standing.tier else -1, standing.counted)
    above = [tier for tier in scheme.tiers if tier.threshold > enough]
    if above:
        following = min(above, key=lambda tier: tier.threshold)
        missing = following.threshold - standing.counted
        lines.append(
            _("%(missing)s more for %(tier)s.")
            % {
                "missing": shown_counted(missing, scheme.basis, program),
                "tier": following.name,
            }
        )
    if held.changes_at:
        lines.append(
            _("It changes on %(day)s when nothing is bought until then.")
            % {"day": shown_day(held.changes_at, program.store)}
        )
    return " ".join(lines)
