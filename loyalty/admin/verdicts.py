"""Why did my card not appear? A store, and a customer or a code: a verdict for each card."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django_stubs_ext import StrOrPromise

from loyalty import back_office
from loyalty.admin.columns import badge, linked
from loyalty.admin.formats import shown_amount, shown_moment
from loyalty.identity import Identity
from loyalty.models import GiftCard, Store
from loyalty.verdicts import Inquiry, Reason, Verdict, inquire

_WORDS: dict[Reason, StrOrPromise] = {
    Reason.OTHER_STORE: _("It is a card of another store. Use it there."),
    Reason.OTHER_CODE_FIRST: _("Another card answers to the same code and comes first."),
    Reason.OTHER_OWNER: _(
        "It belongs to another customer. Compare the documents; change the owner if it is theirs."
    ),
    Reason.OTHER_DOCUMENT: _(
        "Its owner has the same e-mail with another document: CPF against CNPJ, perhaps. Have the"
        " shopper buy with the owner's document, or change the owner."
    ),
    Reason.NO_OWNER: _("It is only for an owner and has none. Give it one."),
    Reason.CLOSED: _("It is closed for good. Give credit anew if it was closed by mistake."),
    Reason.BLOCKED: _("It is blocked. Its page says by whom and why; unblock it if that is over."),
    Reason.NOT_YET_VALID: _("It is not valid yet: it begins on %(start)s."),
    Reason.EXPIRED: _(
        "It expired on %(end)s by the store's clock. Extend it if it should not have."
    ),
    Reason.CURRENCY: _("It is in another currency than the store; nothing is exchanged."),
    Reason.PURCHASE_HAD: _("It allows one purchase and has had it."),
    Reason.CREDIT_EXPIRED: _("The credit on it has expired. Extend that if it should not have."),
    Reason.CREDIT_LATER: _("The credit on it begins later."),
    Reason.ALL_HELD: _("All of it is held by open purchases. Look at them on its page."),
    Reason.EMPTY: _("Nothing is left on it."),
    Reason.BELOW_CENT: _("What is left is worth less than the smallest coin."),
}


class InquiryForm(forms.Form):
    """What the shopper has at hand."""

    store = forms.ModelChoiceField(label=_("Store"), queryset=Store.objects.all(), empty_label=None)
    email = forms.CharField(label=_("E-mail"), required=False, max_length=254)
    document = forms.CharField(label=_("CPF or CNPJ"), required=False, max_length=30)
    profile_id = forms.CharField(label=_("VTEX profile id"), required=False, max_length=254)
    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """Something has to be known."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(data.get(name) for name in ("email", "document", "profile_id", "code")):
            raise forms.ValidationError(_("Type who the customer is, or the code."), code="empty")
        return data

    def inquiry(self) -> Inquiry:
        """The verdicts on what was typed."""
        data = self.cleaned_data
        client = Identity.of(
            profile_id=data["profile_id"], email=data["email"], document=data["document"]
        )
        return inquire(data["store"], client, data["code"])


@dataclass(frozen=True, slots=True)
class Line:
    """A card, and the verdict in words."""

    card: str
    owner: str
    state: SafeString
    usable: str
    words: list[str]


@sensitive_post_parameters("email", "document", "profile_id", "code")
def verdicts(request: HttpRequest) -> HttpResponse:
    """The form; sent, the verdicts below it. Nothing typed goes into an address."""
    if not request.user.has_perm("loyalty.view_giftcard"):
        raise PermissionDenied
    form = InquiryForm(data=request.POST or None)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": gettext("Why did my card not appear?"),
        "form": form,
    }
    if request.method == "POST" and form.is_valid():
        found = form.inquiry()
        context |= {
            "found": found,
            "lines": [_line(verdict) for verdict in found.verdicts],
            "known": [linked(customer) for customer in found.customers],
        }
    return TemplateResponse(request, "admin/verdicts.html", context)


def _line(verdict: Verdict) -> Line:
    card = verdict.card
    is_shown = verdict.appears
    return Line(
        card=linked(card),
        owner=linked(card.owner),
        state=badge("good" if is_shown else "bad", _("appears") if is_shown else _("does not")),
        usable=shown_amount(verdict.usable, card),
        words=[str(_WORDS[reason]) % _figures(card) for reason in verdict.reasons]
        or [
            gettext(
                "Checkout is shown this card. If the shopper does not see it: look whether the"
                " store's gift card provider is this one, and whether too many wrong codes were"
                " typed in the same cart within 15 minutes."
            )
        ],
    )


def _figures(card: GiftCard) -> dict[str, str]:
    return {
        "start": shown_moment(card.valid_from, card.store),
        "end": shown_moment(card.expires_at, card.store),
    }


back_office.BackOfficeSite.pages.append(back_office.Page("why-not/", "verdicts", verdicts))
