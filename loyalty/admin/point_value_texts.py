"""What another point value means, in words: both policies side by side, with an example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from loyalty.actions import ChangePointValue
from loyalty.admin import charts
from loyalty.admin.formats import shown_count, shown_money
from loyalty.models import PointValueChange, Program, TierScheme

KEEP_MONEY, KEEP_POINTS = PointValueChange.Policy
EXAMPLE = 1000
"""Points of the customer who is the example."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure now, and by either policy."""

    label: StrOrPromise
    now: str
    money_stays: str
    points_stay: str


def value_of(units: int, program: Program) -> str:
    """What a point is worth."""
    return shown_money(units, program.store.currency, program.exponent)


def comparison(action: ChangePointValue) -> Mapping[str, object]:
    """The context of `admin/point_values/comparison.html`."""
    program, effect = action.program, action.effect
    had = EXAMPLE * action.before
    kept = had * action.after // action.before

    def money(units: int) -> str:
        return shown_money(units, action.currency, action.exponent)

    def points(count: int) -> str:
        return f"{shown_count(count)}\u00a0{program.unit_name or _('points')}"

    bars = {
        _("Now"): (effect.points, effect.units),
        _("The money stays"): effect.after(KEEP_MONEY),
        _("The points stay"): effect.after(KEEP_POINTS),
    }
    cards = shown_count(effect.cards)
    rows = [
        Row(_("A point is worth"), money(action.before), *[money(action.after)] * 2),
        Row(_("Cards with something on them"), *[cards] * 3),
        Row(_("Points on them"), *(points(count) for count, _units in bars.values())),
        Row(_("Money on them"), *(money(units) for _count, units in bars.values())),
        Row(_("Held by purchases: stays"), *[money(effect.held)] * 3),
        Row(
            _("For example, a customer with %(points)s") % {"points": points(EXAMPLE)},
            money(had),
            _("%(points)s, still worth %(money)s")
            % {"points": points(had // action.after), "money": money(had)},
            _("%(points)s, worth %(money)s: adjusted by %(change)s")
            % {"points": points(EXAMPLE), "money": money(kept), "change": money(kept - had)},
        ),
    ]
    return {
        "rows": rows,
        "keeps_points": action.policy == KEEP_POINTS,
        "money_chart": charts.bars(
            _("Money on the cards"),
            [(label, units, money(units)) for label, (_count, units) in bars.items()],
            name="money",
        ),
        "points_chart": charts.bars(
            _("Points on the cards"),
            [(label, count, points(count)) for label, (count, _units) in bars.items()],
            name="points",
        ),
        "consequences": consequences(program, action.policy),
    }


def consequences(program: Program, policy: str) -> Sequence[str]:
    """What else happens, and what does not."""
    told = [_("Orders that are paid from then on earn points of the new value.")]
    if policy == KEEP_POINTS:
        told += [
            _("What earlier orders earned and is not credited yet keeps its points too."),
            _(
                "Each card is adjusted once, by an entry for each credit on it, rounded down once"
                " for the card: no customer has a point more or less. Until its turn, some minutes"
                " at most, a card counts by the value before."
            ),
            _("What purchases hold or have spent is money, and comes back as the same money."),
        ]
    else:
        told += [
            _("What earlier orders earned and is not credited yet keeps its money too."),
            _("No entry is made: what customers can spend is the same."),
        ]
    by_points = TierScheme.objects.filter(
        program=program, basis=TierScheme.Basis.POINTS, switched_on_at__isnull=False
    )
    if by_points.exists():
        told.append(
            _(
                "Tiers of this program count what rules gave, as money: their thresholds stay the"
                " money that they are. Write new tiers for the new value."
            )
        )
    return told
