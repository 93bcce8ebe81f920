"""A code in clear: by permission, after the password, with a reason, and never without a trace."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from loyalty import audit, codes
from loyalty.admin.base import NOTHING, shown_amount, shown_moment
from loyalty.admin.forms.base import ActionForm
from loyalty.admin.printing import PrintedCard, pdf_of
from loyalty.models import AuditAction, GiftCard
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

PERMISSION = "loyalty.reveal_code"


class RevealForm(forms.Form):
    """Why somebody needs to see a code."""

    reason = ActionForm.base_fields["reason"]
    note = ActionForm.base_fields["note"]


class RevealURLs(admin.ModelAdmin[Any]):
    """A mixin for the page of a card: its code in clear, on the screen or on paper."""

    def get_urls(self) -> list[URLPattern]:
        """The addresses of both, before those of the pages."""
        return [
            path(
                "<int:pk>/reveal/",
                self.admin_site.admin_view(self.reveal),
                name="loyalty_giftcard_reveal",
            ),
            path(
                "<int:pk>/print/",
                self.admin_site.admin_view(self.print_card),
                name="loyalty_giftcard_print",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of the card, with the ways to its code for whoever may go them."""
        links = []
        if request.user.has_perm(PERMISSION) and object_id.isdecimal():
            links = [
                {"label": label, "url": reverse(f"admin:loyalty_giftcard_{name}", args=[object_id])}
                for name, label in (
                    ("reveal", _("Reveal the code")),
                    ("print", _("Print the card")),
                )
            ]
        context = {**(extra_context or {}), "extra_buttons": links}
        return super().change_view(request, object_id, form_url, context)

    @method_decorator(password_confirmed)
    def reveal(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask why; answer with the code, this once and kept by no cache."""
        return self._answer(request, pk, AuditAction.REVEAL)

    @method_decorator(password_confirmed)
    def print_card(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask why; answer with a PDF."""
        return self._answer(request, pk, AuditAction.PRINT)

    def _answer(self, request: HttpRequest, pk: int, action: AuditAction) -> HttpResponse:
        card = self._card(request, pk)
        form = RevealForm(data=request.POST or None)
        context: dict[str, object] = {
            **self.admin_site.each_context(request),
            "title": _("Reveal the code") if action == AuditAction.REVEAL else _("Print the card"),
            "opts": self.opts,
            "card": card,
            "form": form,
            "is_print": action == AuditAction.PRINT,
            "row_url": reverse("admin:loyalty_giftcard_change", args=[pk]),
            "list_url": reverse("admin:loyalty_giftcard_changelist"),
        }
        answer: HttpResponse
        if request.method == "POST" and form.is_valid():
            audit.record(
                action,
                actor_of(request),
                card=card,
                customer=card.owner,
                reason=form.cleaned_data["reason"],
                note=form.cleaned_data["note"].strip(),
            )
            if action == AuditAction.PRINT:
                answer = HttpResponse(pdf_of(_printed(card)), content_type="application/pdf")
                answer["Content-Disposition"] = f'attachment; filename="{card.public_id[:8]}.pdf"'
            else:
                context["code"] = _shown(card)
                answer = TemplateResponse(request, "admin/reveal/code.html", context)
        else:
            answer = TemplateResponse(request, "admin/reveal/why.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def _card(self, request: HttpRequest, pk: int) -> GiftCard:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        cards = GiftCard.objects.select_related("store", "program", "owner", "balance")
        card = cards.filter(pk=pk).first()
        if card is None:
            raise Http404
        return card


def _shown(card: GiftCard) -> str:
    """As people read it: ours in groups, others to the letter."""
    return card.code if card.is_imported else codes.grouped(card.code)


def _printed(card: GiftCard) -> PrintedCard:
    last = shown_moment(card.expires_at, card.store)
    return PrintedCard(
        store=card.store.name,
        title=card.caption or card.program.caption or card.program.name,
        amount=shown_amount(card.balance.available, card).replace("\u00a0", " "),
        validity=_("Without an end") if last == NOTHING else _("Until %(day)s") % {"day": last},
        code=_shown(card),
        terms=card.program.terms,
    )
