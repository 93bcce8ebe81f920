"""How much a role or a person may move alone; amounts are typed as people write them."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from loyalty import audit, roles
from loyalty.admin.base import BoundedPaginator
from loyalty.admin.formats import shown_money
from loyalty.admin.money_field import MoneyField
from loyalty.admin.staff import ConfirmedChanges
from loyalty.models import AuditAction, SpendingLimit, Store
from loyalty.money import exponent_of
from loyalty.sign_in.address import actor_of

AMOUNTS = ("per_action", "per_day")


class LimitField(MoneyField):
    """An amount that may be nothing."""

    def to_python(self, value: Any) -> int | None:
        """The minor units; 0 however it is written."""
        text = "" if value is None else str(value).strip()
        is_zero = text.startswith("0") and not text.strip("0.,")
        return 0 if is_zero else super().to_python(value)


class LimitForm(forms.ModelForm[SpendingLimit]):
    """Whose limit it is and in which currency is settled once; the amounts change."""

    per_action = forms.CharField(
        label=_("limit of an action"),
        help_text=_("A larger amount waits for another person. 0: every amount does."),
    )
    per_day = forms.CharField(
        label=_("limit of a day"), help_text=_("All that the person moves alone on a day.")
    )

    class Meta:
        model = SpendingLimit
        fields = ("group", "user", "currency", *AMOUNTS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in AMOUNTS:
                known = self.fields[name]
                self.fields[name] = LimitField(
                    currency=self.instance.currency, label=known.label, help_text=known.help_text
                )

    def clean(self) -> dict[str, Any] | None:
        """Amounts in minor units; one owner; no second limit of the same."""
        data = super().clean() or self.cleaned_data
        if not self.instance.pk:
            self._clean_owner(data)
            self._clean_amounts(data)
        if not self.errors and data["per_day"] < data["per_action"]:
            self.add_error("per_day", _("Not less than the limit of an action."))
        return data

    def _clean_owner(self, data: dict[str, Any]) -> None:
        owner = {"group": data.get("group"), "user": data.get("user")}
        if not self.errors and bool(owner["group"]) == bool(owner["user"]):
            self.add_error("group", _("Choose a role or a person, one of them."))
        elif (
            not self.errors
            and SpendingLimit.objects.filter(**owner, currency=data["currency"]).exists()
        ):
            self.add_error("currency", _("There is a limit in this currency: change that one."))

    def _clean_amounts(self, data: dict[str, Any]) -> None:
        for name in AMOUNTS:
            if name in data and data.get("currency"):
                try:
                    data[name] = LimitField(currency=data["currency"]).clean(data[name])
                except forms.ValidationError as error:
                    self.add_error(name, error)


@admin.register(SpendingLimit)
class SpendingLimitAdmin(ConfirmedChanges):
    """Limits of roles and people. Nobody sets their own."""

    form = LimitForm
    list_display = ("owner", "currency", "of_action", "of_day")
    list_filter = ("currency", "group")
    list_select_related = ("group", "user")
    search_fields = ("user__username", "group__name")
    paginator = BoundedPaginator
    show_full_result_count = False

    @admin.display(description=_("role or person"))
    def owner(self, limit: SpendingLimit) -> str:
        """Whose it is; a role in the page's language."""
        return str(roles.label(limit.group.name) if limit.group else limit.user)

    @admin.display(description=_("limit of an action"), ordering="per_action")
    def of_action(self, limit: SpendingLimit) -> str:
        """Exact money."""
        return shown(limit.per_action, limit.currency)

    @admin.display(description=_("limit of a day"), ordering="per_day")
    def of_day(self, limit: SpendingLimit) -> str:
        """Exact money."""
        return shown(limit.per_day, limit.currency)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not one's own limit, nor that of a role that one has; a superuser may."""
        if not super().has_change_permission(request, obj):
            return False
        user = cast("User", request.user)
        if obj is None or user.is_superuser:
            return True
        return obj.user_id != user.pk and not user.groups.filter(pk=obj.group_id).exists()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Whose it is and its currency stay; what only looks sees money, not units."""
        return ("owner", "currency") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The owner as text once it is settled."""
        if obj and not self.has_change_permission(request, obj):
            return ("owner", "currency", "of_action", "of_day")
        return ("owner", "currency", *AMOUNTS) if obj else ("group", "user", "currency", *AMOUNTS)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Only who is not oneself, and currencies of the stores."""
        user = cast("User", request.user)
        if db_field.name == "group":
            groups = Group.objects.order_by("id")
            kwargs["queryset"] = groups if user.is_superuser else groups.exclude(user=user)
        elif db_field.name == "user":
            people = User.objects.filter(is_active=True, is_staff=True).order_by("username")
            kwargs["queryset"] = people if user.is_superuser else people.exclude(pk=user.pk)
            kwargs["help_text"] = _("Your own limits, and those of your roles, others set.")
        elif db_field.name == "currency":
            known = Store.objects.order_by("currency").values_list("currency", flat=True).distinct()
            return forms.ChoiceField(
                label=db_field.verbose_name, choices=[(name, name) for name in known]
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """The limit, and an event with the amounts before and after."""
        known = SpendingLimit.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)
        audit.record(
            AuditAction.CHANGED if known else AuditAction.ADDED,
            actor_of(request),
            subject=obj,
            currency=obj.currency,
            before={name: getattr(known, name) for name in AMOUNTS} if known else {},
            after={name: getattr(obj, name) for name in AMOUNTS},
            note=str(obj.group or obj.user),
        )


def shown(units: int, currency: str) -> str:
    """Minor units as exact money."""
    return shown_money(units, currency, exponent_of(currency))
