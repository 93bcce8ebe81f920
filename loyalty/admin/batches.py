"""Many cards at once: the form, the draft with what it would cost, the progress, the codes.

Credit for many customers goes the same way; its own part is in `loyalty.admin.credit_batches`.
"""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_stubs_ext import StrOrPromise

from loyalty import audit, batches, codes
from loyalty.admin.actions import ActionURLs, buttons
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, badge, link, linked, shown_moment
from loyalty.admin.credit_batches import (
    CreditBatchURLs,
    credit_context,
    credit_figures,
    selection_in_words,
    state_in_a_word,
)
from loyalty.admin.csv import csv_response
from loyalty.admin.figures import Scale, money_of
from loyalty.admin.formats import shown_count
from loyalty.admin.forms.base import ActionForm, DayField
from loyalty.admin.money_field import MoneyField
from loyalty.admin.parts import Tile
from loyalty.batches import MAX_CARDS, Plan
from loyalty.exceptions import LedgerError
from loyalty.models import Approval, AuditAction, Batch, GiftCard, Job, Program, Reason
from loyalty.money import to_decimal
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

State = Batch.Status
_KINDS = {
    State.DRAFT: "neutral",
    State.WAITING: "open",
    State.ISSUING: "open",
    State.ISSUED: "good",
    State.UNDOING: "open",
    State.UNDONE: "neutral",
    State.DISCARDED: "neutral",
}
_PROBLEMS: dict[str, StrOrPromise] = {
    "unknown": _("Line %(line)s: nobody in this store. Tick the box below to add new customers."),
    "ambiguous": _("Line %(line)s: several customers. Type a document or a profile id."),
    "repeated": _("Line %(line)s: this customer is in the list already."),
    "wallet_exists": _("Line %(line)s: this customer has this program's wallet already."),
    "malformed": _("Line %(line)s: neither an e-mail, a CPF nor a CNPJ. Correct it."),
}
_MOST_PROBLEMS = 20


class BatchForm(forms.Form):
    """What is wanted of every card of a batch."""

    name = forms.CharField(label=_("Name"), max_length=100)
    count = forms.IntegerField(
        label=_("Number of cards"),
        required=False,
        min_value=1,
        max_value=MAX_CARDS,
        help_text=_("Up to 100,000. With a list of owners: empty, each gets one."),
    )
    first_day = DayField(label=_("First day"), required=False, help_text=_("Empty: today."))
    last_day = DayField(
        label=_("Last day"), required=False, help_text=_("Empty: as the program says.")
    )
    owners = forms.CharField(
        label=_("Owners"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One in a line: e-mail, CPF, CNPJ or VTEX profile id. Empty: bearer cards."),
    )
    creates = forms.BooleanField(label=_("Add customers who are not known yet"), required=False)
    reason = ActionForm.base_fields["reason"]
    note = ActionForm.base_fields["note"]

    def __init__(self, program: Program, **options: Any) -> None:
        super().__init__(**options)
        self.program = program
        self.fields["amount"] = MoneyField(
            label=_("Amount of a card"),
            currency=program.store.currency,
            exponent=program.exponent,
        )
        self.order_fields(["name", "amount", "count", "first_day", "last_day"])

    def clean(self) -> dict[str, Any]:
        """The days in order, and the people of the list."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        today = timezone.localdate(timezone=self.program.store.zone)
        first, last = data.get("first_day"), data.get("last_day")
        if last and last < (first or today):
            self.add_error("last_day", ValidationError(_("Choose a later day."), code="past"))
        data["wanted"] = None
        if texts := data.get("owners", "").splitlines():
            self._find(texts, data)
        elif not data.get("count") and "count" not in self.errors:
            self.add_error("count", _("Say how many cards, or whose they are."))
        elif self.program.is_restricted:
            self.add_error(
                "owners", _("This program's cards are only for their owners: name them.")
            )
        return data

    def _find(self, texts: list[str], data: dict[str, Any]) -> None:
        wanted = batches.find_owners(self.program, texts, creates=data.get("creates", False))
        for problem in wanted.problems[:_MOST_PROBLEMS]:
            words = str(_PROBLEMS[problem.code]) % {"line": problem.line}
            self.add_error("owners", ValidationError(words, code=problem.code))
        if len(wanted.customers) > MAX_CARDS:
            self.add_error("owners", _("At most 100,000 cards in a batch: cut the list in parts."))
        if data.get("count") and data["count"] != len(wanted.customers) + len(wanted.problems):
            self.add_error("count", _("The list has another number of people: leave this empty."))
        data["wanted"] = wanted

    def save(self, user: User) -> Batch:
        """The draft, with new customers where they are wanted. Raises `LedgerError`."""
        data, store = self.cleaned_data, self.program.store
        first, last = data["first_day"], data["last_day"]
        starts_later = first and first > timezone.localdate(timezone=store.zone)
        with atomic():
            if data["wanted"]:
                data["wanted"].create_missing()
            owners = data["wanted"].customers if data["wanted"] else ()
            return batches.draft(
                Plan(
                    program=self.program,
                    name=data["name"],
                    amount=data["amount"],
                    count=len(owners) or data["count"],
                    valid_from=store.first_instant(first) if starts_later else None,
                    expires_at=store.last_instant(last) if last else None,
                    reason=data["reason"],
                    note=data["note"].strip(),
                    owners=owners,
                ),
                created_by=user,
            )


@admin.register(Batch)
class BatchAdmin(CreditBatchURLs, ActionURLs, ReadOnlyAdmin[Batch]):
    """The batches that we make; those from files have their own pages."""

    change_form_template = "admin/batches/batch.html"
    change_list_template = "admin/batches/list.html"
    list_display = (
        "name",
        "state",
        "program_link",
        "cards_shown",
        "total_shown",
        "created_by",
        "made_at",
    )
    list_filter = ("status", "source", "program__store")
    list_select_related = ("program__store", "created_by", "job")
    search_fields = ("name",)
    search_help_text = _("The whole name.")
    show_facets = admin.ShowFacets.ALLOW
    program_link = link("program", _("program"))
    fields = ()

    @admin.display(description=_("made at"), ordering="created_at")
    def made_at(self, batch: Batch) -> str:
        """In the store's time."""
        return shown_moment(batch.created_at, batch.program.store)

    @admin.display(description=_("state"), ordering="status")
    def state(self, batch: Batch) -> SafeString:
        """Where it is."""
        return badge(_KINDS[State(batch.status)], state_in_a_word(batch))

    @admin.display(description=_("cards or credits"), ordering="count")
    def cards_shown(self, batch: Batch) -> int:
        """How many it is to have."""
        return batch.count

    @admin.display(description=_("total amount"), ordering="total")
    def total_shown(self, batch: Batch) -> str:
        """What all of it comes to."""
        return money_of(batch.total, _scale(batch))

    def get_urls(self) -> list[URLPattern]:
        """The addresses of the form, of giving up and of the codes, before those of the pages."""
        site = self.admin_site
        return [
            path("new/", site.admin_view(self.choose), name="loyalty_batch_choose"),
            path("new/<int:program>/", site.admin_view(self.new), name="loyalty_batch_new"),
            path("<int:pk>/discard/", site.admin_view(self.discard), name="loyalty_batch_discard"),
            path("<int:pk>/codes/", site.admin_view(self.codes), name="loyalty_batch_codes"),
            *super().get_urls(),
        ]

    def choose(self, request: HttpRequest) -> HttpResponse:
        """Of which program the cards are to be."""
        _require(request, "loyalty.add_batch")
        programs = Program.objects.select_related("store").order_by("store__name", "name")
        return self._page(
            request, "admin/batches/choose.html", title=_("New batch"), programs=programs
        )

    def new(self, request: HttpRequest, program: int) -> HttpResponse:
        """The form of a batch; sent, it becomes a draft."""
        _require(request, "loyalty.add_batch")
        of = Program.objects.select_related("store").filter(pk=program).first()
        if of is None:
            raise Http404
        form = BatchForm(of, data=request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                batch = form.save(actor_of(request).user)
            except LedgerError as refusal:
                form.add_error("amount", str(_(refusal.message)))
            else:
                return HttpResponseRedirect(_url("change", batch.pk))
        return self._page(
            request, "admin/batches/new.html", title=_("New batch"), form=form, program=of
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Where the batch is, what it holds, and what can be done next."""
        batch: Batch = context["original"]
        job = batch.job
        is_working = job is not None and job.status in {Job.Status.WAITING, Job.Status.RUNNING}
        context |= {
            "state_kind": _KINDS[State(batch.status)],
            "state_label": state_in_a_word(batch),
            "tiles": _tiles(batch),
            "facts": _facts(batch),
            "job": job,
            "is_working": is_working,
            "buttons": [] if is_working else buttons(request, batch),
            "may_discard": batch.status == State.DRAFT
            and request.user.has_perm("loyalty.add_batch"),
            "may_download": _may_download(request, batch),
            "was_downloaded": batch.codes_downloaded_at is not None,
            "approval": _approval_of(batch),
        }
        if batch.source == Batch.Source.CREDIT:
            context |= credit_context(batch)
        if is_working:
            # Without JavaScript too: the page looks again by itself.
            context["refresh_seconds"] = 3
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give up a draft."""
        _require(request, "loyalty.add_batch")
        batch = self._batch(request, pk)
        if batches.discard(batch):
            messages.success(request, _("The batch was given up. Nothing was issued."))
        else:
            messages.warning(request, _("This batch is no draft any more: see what it is now."))
        return HttpResponseRedirect(_url("change", pk))

    @method_decorator(require_POST)
    @method_decorator(password_confirmed)
    def codes(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """All codes as CSV: once to whoever made the batch, after that by permission."""
        batch = self._batch(request, pk)
        if not _may_download(request, batch):
            raise PermissionDenied
        is_first = batches.take_codes(batch)
        if not is_first and not request.user.has_perm("loyalty.reprint_batch"):
            raise PermissionDenied
        audit.record(
            AuditAction.CODES_DOWNLOADED,
            actor_of(request),
            subject=batch,
            store=batch.program.store,
            currency=batch.program.store.currency,
            after={"cards": batch.count},
        )
        header = [_("number"), _("code"), _("amount"), _("currency"), _("last day"), _("card id")]
        return csv_response(
            f"{batch.name}.csv", header, _code_rows(batch), language=get_language() or "en"
        )

    def _batch(self, request: HttpRequest, pk: int) -> Batch:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_queryset(request).select_related("program__store").filter(pk=pk).first()
        if batch is None:
            raise Http404
        return batch

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        """With what every page shows."""
        rows = super().get_queryset(request)
        return rows.select_related("program__store", "job", "created_by")

    def _page(self, request: HttpRequest, template: str, **context: object) -> HttpResponse:
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "list_url": _url("changelist"),
                **context,
            },
        )


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _url(page: str, *arguments: object) -> str:
    return reverse(f"admin:loyalty_batch_{page}", args=arguments)


def _scale(batch: Batch) -> Scale:
    program = batch.program
    return Scale(program.store, program.store.currency, program.exponent)


def _may_download(request: HttpRequest, batch: Batch) -> bool:
    """Once whoever made it, when it is issued; again only with the permission for that."""
    if batch.status != State.ISSUED or batch.source == Batch.Source.CREDIT:
        return False
    if request.user.has_perm("loyalty.reprint_batch"):
        return True
    is_maker = batch.created_by_id == request.user.pk and request.user.has_perm("loyalty.add_batch")
    return is_maker and batch.codes_downloaded_at is None


def _approval_of(batch: Batch) -> str:
    """The request that the batch waits for, if it does."""
    if batch.status != State.WAITING:
        return ""
    waiting = Approval.objects.filter(
        status=Approval.Status.WAITING, parameters__batch_id=batch.pk
    ).first()
    return linked(waiting) if waiting else ""


def _tiles(batch: Batch) -> list[Tile]:
    if batch.source == Batch.Source.CREDIT:
        return credit_figures(batch)
    scale = _scale(batch)
    tiles = [
        Tile(_("cards"), shown_count(batch.count)),
        Tile(_("amount of a card"), money_of(batch.amount, scale)),
        Tile(_("total amount"), money_of(batch.total, scale)),
    ]
    if batch.status in {State.DRAFT, State.WAITING, State.DISCARDED}:
        return tiles
    found = batches.figures(batch)
    return [
        Tile(
            _("cards"),
            ngettext("%(count)s card issued", "%(count)s cards issued", found.cards)
            % {"count": shown_count(found.cards)},
        ),
        Tile(_("outstanding"), money_of(found.outstanding, scale)),
        Tile(_("spent"), money_of(found.spent, scale)),
        Tile(_("total amount"), money_of(batch.total, scale)),
    ]


def _facts(batch: Batch) -> list[tuple[StrOrPromise, str]]:
    store = batch.program.store
    facts: list[tuple[StrOrPromise, str]] = [
        (_("program"), linked(batch.program)),
        (_("store"), linked(store)),
        (_("funding"), str(batch.program.get_funding_display())),
        (_("chosen by"), selection_in_words(batch)),
        (_("valid from"), shown_moment(batch.valid_from, store)),
        (_("expires at"), shown_moment(batch.expires_at, store)),
        (
            _("reason"),
            str(dict(Reason.choices).get(batch.reason, "")),
        ),
        (_("note"), batch.note),
        (_("made by"), str(batch.created_by)),
        (_("made at"), shown_moment(batch.created_at, store)),
        (_("codes downloaded at"), shown_moment(batch.codes_downloaded_at, store)),
    ]
    return [(label, value) for label, value in facts if value not in {"", NOTHING}]


def _code_rows(batch: Batch) -> Iterator[list[object]]:
    zone = batch.program.store.zone
    for each in batches.codes(batch):
        card: GiftCard = each.card
        end = timezone.localtime(each.expires_at, zone).date() if each.expires_at else ""
        code = each.code if card.is_imported else codes.grouped(each.code)
        amount = to_decimal(batch.amount, exponent=card.exponent)
        yield [each.number, code, amount, card.currency, end, card.public_id]
