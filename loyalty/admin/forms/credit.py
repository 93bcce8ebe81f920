"""The forms that give credit: on a card, to a customer, as a new card."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.actions import Action, GiveCredit, IssueCard
from loyalty.admin.base import shown_amount
from loyalty.admin.forms.base import ActionForm, DayField, OwnerField
from loyalty.admin.forms.cards import CardForm
from loyalty.admin.money_field import MoneyField
from loyalty.models import Customer, Funding, GiftCard, Origin, Program


class CreditForm(CardForm):
    """Give credit."""

    name = "credit"
    permission = GiveCredit.permission
    title = _("Give credit")
    explanation = _("Adds credit to this card, as a grant of its own with its own last day.")

    origin = forms.ChoiceField(
        label=_("Kind of credit"),
        choices=[
            (Origin.CREDIT, _("courtesy")),
            (Origin.RETURN, _("return of goods")),
            (Origin.REWARD, _("loyalty")),
        ],
    )
    funding = forms.ChoiceField(label=_("Funding"), choices=Funding.choices)
    order_id = forms.CharField(
        label=_("Order"),
        required=False,
        max_length=64,
        help_text=_("If the credit is for an order: its number."),
    )
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Empty: as the program says.")
    )

    def __init__(self, row: GiftCard, **options: Any) -> None:
        super().__init__(row, **options)
        self.fields["amount"] = MoneyField(
            label=_("Amount"), currency=row.currency, exponent=row.exponent
        )
        self.fields["funding"].initial = row.program.funding
        self.order_fields(["amount"])

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """A card that can still take credit."""
        takes_more = row.is_reloadable or not row.balance.credited
        return takes_more and row.status == GiftCard.Status.ACTIVE

    def action(self) -> Action:
        """Credit on this card."""
        data = self.cleaned_data
        return GiveCredit(
            card_id=self.card_id,
            value=data["amount"],
            origin=data["origin"],
            funding=data["funding"],
            order_id=data["order_id"],
            last_day=DayField.text(data["last_day"]),
            **self.words,
        )


class GiveForm(ActionForm):
    """Credit for a customer: on a card of theirs, or on a new one."""

    row: Customer
    name = "give"
    permission = GiveCredit.permission
    title = _("Give credit")
    explanation = _("On a card that the customer has and that takes more credit, or on a new one.")

    order_id = forms.CharField(
        label=_("Order"),
        required=False,
        max_length=64,
        help_text=_("If the credit is for an order: its number."),
    )
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Empty: as the program says.")
    )

    def __init__(self, row: Customer, **options: Any) -> None:
        super().__init__(row, **options)
        self.cards = list(
            row.cards.filter(is_reloadable=True, status=GiftCard.Status.ACTIVE, merged_into=None)
            .exclude(expires_at__lte=timezone.now())
            .select_related("program__store", "balance")[:50]
        )
        self.programs = list(Program.objects.filter(store=row.store).select_related("store"))
        self.fields["destination"] = forms.ChoiceField(
            label=_("Where to"), choices=self._destinations()
        )
        self.fields["amount"] = MoneyField(label=_("Amount"), currency=row.store.currency)
        self.fields["origin"] = CreditForm.base_fields["origin"]
        self.order_fields(["destination", "amount", "origin", "order_id", "last_day"])

    def _destinations(self) -> list[Any]:
        groups: list[tuple[StrOrPromise, Sequence[tuple[str, str]]]] = [
            (
                _("Cards that take more credit"),
                [
                    (
                        f"card-{card.pk}",
                        f"{card} · {card.program} · {shown_amount(card.balance.available, card)}",
                    )
                    for card in self.cards
                ],
            ),
            (
                _("A new card"),
                [(f"program-{program.pk}", str(program)) for program in self.programs],
            ),
        ]
        return [group for group in groups if group[1]]

    @classmethod
    def applies_to(cls, row: Customer) -> bool:
        """A customer who was neither erased nor merged into another."""
        return not row.is_nobody

    def action(self) -> Action:
        """Credit on the chosen card, or a new card."""
        data = self.cleaned_data
        kind, _dash, key = data["destination"].partition("-")
        last_day = DayField.text(data["last_day"])
        if kind == "program":
            program = next(each for each in self.programs if each.pk == int(key))
            return IssueCard(
                program_id=program.pk,
                value=data["amount"] * 10**program.finer_digits,
                owner_id=self.row.pk,
                last_day=last_day,
                reference=data["order_id"],
                **self.words,
            )
        card = next(each for each in self.cards if each.pk == int(key))
        return GiveCredit(
            card_id=card.pk,
            value=data["amount"] * 10**card.program.finer_digits,
            origin=data["origin"],
            order_id=data["order_id"],
            last_day=last_day,
            **self.words,
        )


class IssueForm(ActionForm):
    """One card of a program."""

    row: Program
    name = "issue"
    permission = IssueCard.permission
    title = _("Issue a card")
    explanation = _("One new card. Its code can be revealed or printed on its page.")

    reference = forms.CharField(
        label=_("Reference"),
        required=False,
        max_length=128,
        help_text=_("An order or ticket that the card is for."),
    )
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Empty: as the program says.")
    )

    def __init__(self, row: Program, **options: Any) -> None:
        super().__init__(row, **options)
        self.fields["amount"] = MoneyField(
            label=_("Amount"), currency=row.store.currency, exponent=row.exponent
        )
        self.fields["owner"] = OwnerField(
            label=_("Owner"),
            store=row.store,
            required=row.is_restricted,
            help_text=_("E-mail, CPF, CNPJ or VTEX profile id of a customer."),
        )
        self.order_fields(["amount", "owner", "last_day", "reference"])

    def action(self) -> Action:
        """A new card."""
        data = self.cleaned_data
        return IssueCard(
            program_id=self.row.pk,
            value=data["amount"],
            owner_id=data["owner"].pk if data["owner"] else None,
            last_day=DayField.text(data["last_day"]),
            reference=data["reference"],
            **self.words,
        )
