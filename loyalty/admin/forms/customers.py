"""The form of a customer: who it is, so that their cards are found; checked before it is kept."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from loyalty.admin.document_field import checked_document
from loyalty.identity import Identity
from loyalty.models import Customer

IDENTITY = ("email", "document", "corporate_document", "profile_id")


class CustomerForm(forms.ModelForm[Customer]):
    """Names one person or company of the store, whom nobody else is; never the person who types."""

    own: ClassVar[Identity] = Identity()

    email = forms.EmailField(label=_("e-mail"), required=False, max_length=254)

    class Meta:
        model = Customer
        fields = ("store", "name", *IDENTITY, "language")

    def clean_document(self) -> str:
        """A CPF has its check digits right."""
        return checked_document(self.cleaned_data["document"])

    def clean_corporate_document(self) -> str:
        """So has a CNPJ."""
        return checked_document(self.cleaned_data["corporate_document"])

    def clean(self) -> dict[str, Any]:
        """Somebody, and nobody who is known already."""
        data = super().clean() or {}
        store = data.get("store") or (self.instance.store if self.instance.pk else None)
        if self.errors or store is None:
            return data
        known = {name: data.get(name, getattr(self.instance, name)) for name in IDENTITY}
        meant = Identity.of(**known)
        if not meant:
            message = _("Type an e-mail, a document or a profile id: cards are found by these.")
            raise ValidationError(message, code="nobody")
        if self.own and self.own.matches(meant):
            message = _("This is you. Another person has to do it.")
            raise ValidationError(message, code="own")
        others = Customer.objects.filter(store=store).identified_by(meant)
        if set(others.people()) - {self.instance.pk}:
            message = _("The store has a customer with one of these. Search it above.")
            raise ValidationError(message, code="known")
        return data
