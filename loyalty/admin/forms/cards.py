"""The forms of what staff do to a card."""

import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.actions import Action, Adjust, Block, ChangeOwner, Close, Extend, Unblock
from loyalty.admin.base import shown_amount
from loyalty.admin.forms.base import ActionForm, DayField, OwnerField
from loyalty.admin.money_field import MoneyField
from loyalty.ledger.states import expired_of
from loyalty.models import Customer, GiftCard, Grant


class CardForm(ActionForm):
    """An action on a card."""

    row: GiftCard

    @property
    def card_id(self) -> int:
        """The card's key."""
        return self.row.pk


class AdjustForm(CardForm):
    """Correct the balance."""

    name = "adjust"
    permission = Adjust.permission
    title = _("Adjust")
    explanation = _("Corrects the available balance. An adjustment can be reversed as a whole.")
    needs_note = True

    direction = forms.ChoiceField(
        label=_("Direction"),
        choices=[("up", _("add")), ("down", _("take off"))],
        widget=forms.RadioSelect,
    )

    def __init__(self, row: GiftCard, **options: Any) -> None:
        super().__init__(row, **options)
        self.fields["amount"] = MoneyField(
            label=_("Amount"), currency=row.currency, exponent=row.exponent
        )
        self.order_fields(["direction", "amount"])

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """Any card that is not closed."""
        return row.status != GiftCard.Status.CLOSED

    def action(self) -> Action:
        """An adjustment of this card."""
        amount: int = self.cleaned_data["amount"]
        change = amount if self.cleaned_data["direction"] == "up" else -amount
        return Adjust(card_id=self.card_id, change=change, **self.words)


class BlockForm(CardForm):
    """Stop the card for now."""

    name = "block"
    permission = Block.permission
    title = _("Block")
    explanation = _(
        "Purchases and credits are refused until somebody unblocks the card. What is held can"
        " still be settled or canceled."
    )

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """An active card."""
        return row.status == GiftCard.Status.ACTIVE

    def action(self) -> Action:
        """A block of this card."""
        return Block(card_id=self.card_id, **self.words)


class UnblockForm(CardForm):
    """Let the card be used again."""

    name = "unblock"
    permission = Unblock.permission
    title = _("Unblock")
    explanation = _("The card can be used again at once.")

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """A blocked card."""
        return row.status == GiftCard.Status.BLOCKED

    def action(self) -> Action:
        """The end of the block."""
        return Unblock(card_id=self.card_id, **self.words)


class ExtendForm(CardForm):
    """Give credit a later last day."""

    name = "extend"
    permission = Extend.permission
    title = _("Extend the validity")
    explanation = _(
        "The chosen credit gets a later last day, and the card with it. What has already expired"
        " of it comes back."
    )

    grants = forms.MultipleChoiceField(
        label=_("Credit to extend"), widget=forms.CheckboxSelectMultiple
    )
    last_day = DayField(label=_("New last day"))

    def __init__(self, row: GiftCard, **options: Any) -> None:
        super().__init__(row, **options)
        grants, expired = extendable(row)
        self.fields["grants"].choices = [  # type: ignore[attr-defined]
            (str(grant.pk), _described(grant, row, expired.get(grant.pk, 0))) for grant in grants
        ]
        self.fields["grants"].initial = [str(grant.pk) for grant in grants if grant.remaining]
        self.order_fields(["grants", "last_day"])

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """A card with credit that ends."""
        return row.status != GiftCard.Status.CLOSED and bool(extendable(row)[0])

    def clean_last_day(self) -> datetime.date:
        """A day that is not over in the store."""
        day: datetime.date = self.cleaned_data["last_day"]
        if day < timezone.localdate(timezone=self.row.store.zone):
            raise ValidationError(_("Choose today or a later day."), code="past")
        return day

    def action(self) -> Action:
        """A later end for the chosen grants."""
        return Extend(
            card_id=self.card_id,
            grant_ids=tuple(sorted(int(pk) for pk in self.cleaned_data["grants"])),
            last_day=DayField.text(self.cleaned_data["last_day"]),
            **self.words,
        )


class OwnerForm(CardForm):
    """Another owner, or none."""

    name = "owner"
    permission = ChangeOwner.permission
    title = _("Change the owner")
    explanation = _("The card with all that is on it becomes another customer's.")
    needs_note = True

    def __init__(self, row: GiftCard, **options: Any) -> None:
        super().__init__(row, **options)
        self.fields["owner"] = OwnerField(
            label=_("New owner"),
            store=row.store,
            required=False,
            help_text=_(
                "E-mail, CPF, CNPJ or VTEX profile id. Empty: nobody; whoever has the code has"
                " the card."
            ),
        )
        self.order_fields(["owner"])

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """Any card that is not closed."""
        return row.status != GiftCard.Status.CLOSED

    def action(self) -> Action:
        """A change of owner."""
        owner: Customer | None = self.cleaned_data["owner"]
        return ChangeOwner(card_id=self.card_id, owner_id=owner.pk if owner else None, **self.words)


class CloseForm(CardForm):
    """End the card for good."""

    name = "close"
    permission = Close.permission
    title = _("Close for good")
    explanation = _("What is available is taken off, and the card can never be used again.")
    is_danger = True
    needs_note = True

    @classmethod
    def applies_to(cls, row: GiftCard) -> bool:
        """Any card that is not closed, and a closed one on which a refund landed."""
        return row.status != GiftCard.Status.CLOSED or row.balance.available > 0

    def action(self) -> Action:
        """The end of this card."""
        return Close(card_id=self.card_id, **self.words)


def extendable(card: GiftCard) -> tuple[list[Grant], dict[int, int]]:
    """The grants of a card that end and still matter, and what is booked as expired of each."""
    ending = list(card.grants.filter(expires_at__isnull=False).order_by("expires_at", "pk"))
    expired = expired_of(card.pk, [grant.pk for grant in ending])
    return [grant for grant in ending if grant.remaining or grant.pk in expired], expired


def _described(grant: Grant, card: GiftCard, expired: int) -> StrOrPromise:
    assert grant.expires_at is not None  # noqa: S101  only these are extendable
    day = timezone.localtime(grant.expires_at, card.store.zone)
    words = {
        "origin": grant.get_origin_display(),
        "left": shown_amount(grant.remaining, card),
        "expired": shown_amount(expired, card),
        "day": date_format(day, "SHORT_DATE_FORMAT", use_l10n=True),
    }
    if expired:
        return _("%(origin)s, until %(day)s: %(left)s left, %(expired)s expired") % words
    return _("%(origin)s, until %(day)s: %(left)s left") % words
