"""Tier schemes: drafts are written and switched on. Standings, changes and grants only show."""

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import earning
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, badge, link
from loyalty.admin.columns import address, page_of
from loyalty.admin.earning_pages import as_it_was, has, need, note_change
from loyalty.admin.formats import shown_day, shown_moment
from loyalty.admin.forms.tiers import SchemeForm, tier_forms
from loyalty.admin.lists import LargeList
from loyalty.admin.tier_texts import period_in_words, shown_counted, tier_in_words
from loyalty.models import Program, TierChange, TierGrant, TierScheme, TierStanding


@admin.register(TierScheme)
class TierSchemeAdmin(ReadOnlyAdmin[TierScheme]):
    """The tiers of programs, from when on."""

    list_display = ("named", "program", "state", "first", "counts", "over", "grace_days")
    list_filter = ("program__store", "program")
    list_select_related = ("program__store",)
    fields = (*("program", "state", "first", "counts", "over", "grace_days", "given", "switched"),)
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        """The pages here, before the usual ones."""
        wrap = self.admin_site.admin_view
        return [
            path("new/<int:program>/", wrap(self.new), name="loyalty_tierscheme_new"),
            path("<int:pk>/edit/", wrap(self.edit), name="loyalty_tierscheme_edit"),
            path("<int:pk>/switch/", wrap(self.switch), name="loyalty_tierscheme_switch"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The scheme, with what may be done about it."""
        row = context["original"]
        if row:
            context["extra_buttons"] = _ways(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def new(self, request: HttpRequest, program: int) -> HttpResponse:
        """A draft; `?copy=` begins with what another one says."""
        need(request, "add_tierscheme")
        owner = get_object_or_404(Program.objects.select_related("store"), pk=program)
        row = TierScheme(program=owner)
        given = request.GET.get("copy", "")
        if given.isdecimal():
            row = get_object_or_404(TierScheme, pk=int(given), program=owner)
            row = TierScheme(
                program=owner,
                basis=row.basis,
                period=row.period,
                days=row.days,
                grace_days=row.grace_days,
                tiers=row.tiers,
            )
        return _written(request, row, is_new=True)

    def edit(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A draft; what is on never changes."""
        need(request, "change_tierscheme")
        row = _row(pk)
        if row.is_on:
            raise Http404
        return _written(request, row, is_new=False)

    def switch(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What switching on means, then doing it."""
        need(request, "switch_tierscheme")
        row = _row(pk)
        if request.method == "POST":
            before = as_it_was(row)
            try:
                row = earning.switch_on_scheme(row)
            except ValueError:
                past = _("It begins in the past by now: change its first day, then come back.")
                messages.error(request, past)
                return HttpResponseRedirect(page_of(row))
            note_change(request, row, row.program, before=before)
            messages.success(request, _("Done."))
            return HttpResponseRedirect(page_of(row))
        lines = [tier_in_words(tier, row) for tier in row.tiers]
        first = shown_day(row.starts_at, row.program.store)
        return _page(request, "switch", row, _("Switch on"), lines=lines, first=first)

    @admin.display(description=_("tiers"))
    def named(self, row: TierScheme) -> str:
        """Their names, lowest first."""
        return str(row)

    @admin.display(description=_("state"))
    def state(self, row: TierScheme) -> SafeString:
        """Draft, to come, on or followed by another one."""
        return state_of_scheme(row)

    @admin.display(description=_("first day"), ordering="starts_at")
    def first(self, row: TierScheme) -> str:
        """In the store's time zone."""
        return shown_day(row.starts_at, row.program.store)

    @admin.display(description=_("what counts"))
    def counts(self, row: TierScheme) -> str:
        """Spend or points."""
        return row.get_basis_display()

    @admin.display(description=_("over which time"))
    def over(self, row: TierScheme) -> str:
        """Rolling days, or a calendar period."""
        return period_in_words(row)

    @admin.display(description=_("tiers"))
    def given(self, row: TierScheme) -> SafeString | str:
        """Each with its threshold and what it gives."""
        lines = format_html_join("", "<li>{}</li>", ((tier_in_words(t, row),) for t in row.tiers))
        return format_html_join("", "<ul class='reasons'>{}</ul>", [(lines,)]) if lines else NOTHING

    @admin.display(description=_("switched on at"))
    def switched(self, row: TierScheme) -> str:
        """By the clock of the store."""
        return shown_moment(row.switched_on_at, row.program.store)


class _OfCustomer(LargeList[Any], ReadOnlyAdmin[Any]):
    """What the lists about customers' tiers share."""

    customer_link = link("customer", _("customer"))
    program_link = link("program", _("program"))


@admin.register(TierStanding)
class TierStandingAdmin(_OfCustomer):
    """Who has which tier."""

    list_display = ("customer_link", "program_link", "tier_shown", "cause", "began", "changes")
    list_display_links = ("tier_shown",)  # the first one is a link already
    list_filter = ("program__store", "program", "tier")
    list_select_related = ("program__store", "customer")
    fields = list_display
    readonly_fields = fields

    @admin.display(description=_("tier"), ordering="tier")
    def tier_shown(self, row: TierStanding) -> str:
        """Its name."""
        return row.tier or NOTHING

    @admin.display(description=_("since"), ordering="since")
    def began(self, row: TierStanding) -> str:
        """By the clock of the store."""
        return shown_moment(row.since, row.program.store)

    @admin.display(description=_("changes on"), ordering="review_at")
    def changes(self, row: TierStanding) -> str:
        """When nothing is bought until then."""
        return shown_day(row.review_at, row.program.store)


@admin.register(TierChange)
class TierChangeAdmin(_OfCustomer):
    """How tiers changed: kept for ever."""

    list_display = (
        *("customer_link", "program_link", "was", "became", "cause", "counted_shown"),
        "on",
    )
    list_display_links = ("on",)
    list_select_related = ("program__store", "customer", "scheme")
    list_filter = ("program__store", "program", "cause")
    fields = list_display
    readonly_fields = fields

    @admin.display(description=_("before"))
    def was(self, row: TierChange) -> str:
        """The tier before."""
        return row.before or NOTHING

    @admin.display(description=_("after"))
    def became(self, row: TierChange) -> str:
        """The tier since."""
        return row.after or NOTHING

    @admin.display(description=_("counted"))
    def counted_shown(self, row: TierChange) -> str:
        """What was added up then."""
        basis = row.scheme.basis if row.scheme else ""
        return shown_counted(row.counted, basis, row.program)

    @admin.display(description=_("at"), ordering="at")
    def on(self, row: TierChange) -> str:
        """By the clock of the store."""
        return shown_moment(row.at, row.program.store)


@admin.register(TierGrant)
class TierGrantAdmin(_OfCustomer):
    """What staff granted, and why: kept for ever."""

    list_display = ("customer_link", "program_link", "granted", "last", "reason", "given_by", "on")
    list_display_links = ("granted",)
    list_filter = ("program__store", "program")
    list_select_related = ("program__store", "customer", "given_by")
    fields = list_display
    readonly_fields = fields

    @admin.display(description=_("tier"))
    def granted(self, row: TierGrant) -> StrOrPromise:
        """Its name, or that what was granted ends."""
        return row.tier or _("End what was granted")

    @admin.display(description=_("last day"), ordering="until")
    def last(self, row: TierGrant) -> str:
        """In the store's time zone."""
        return shown_day(row.until, row.program.store)

    @admin.display(description=_("given at"), ordering="given_at")
    def on(self, row: TierGrant) -> str:
        """By the clock of the store."""
        return shown_moment(row.given_at, row.program.store)


def state_of_scheme(row: TierScheme) -> SafeString:
    """Draft, to come, on or followed by another one."""
    if not row.is_on:
        return badge("neutral", _("draft"))
    now = timezone.now()
    if row.starts_at > now:
        return badge("open", _("to come"))
    later = TierScheme.objects.filter(
        program=row.program_id,
        switched_on_at__isnull=False,
        starts_at__gt=row.starts_at,
        starts_at__lte=now,
    )
    return badge("neutral", _("ended")) if later.exists() else badge("good", _("on"))


def _row(pk: int) -> TierScheme:
    return get_object_or_404(TierScheme.objects.select_related("program__store"), pk=pk)


def _ways(request: HttpRequest, row: TierScheme) -> list[dict[str, object]]:
    found: list[tuple[bool, StrOrPromise, str]] = [
        (
            not row.is_on and has(request, "change_tierscheme"),
            _("Change"),
            reverse("admin:loyalty_tierscheme_edit", args=[row.pk]),
        ),
        (
            not row.is_on and has(request, "switch_tierscheme"),
            _("Switch on"),
            reverse("admin:loyalty_tierscheme_switch", args=[row.pk]),
        ),
        (
            has(request, "add_tierscheme"),
            _("New draft from this one"),
            reverse("admin:loyalty_tierscheme_new", args=[row.program_id]) + f"?copy={row.pk}",
        ),
    ]
    return [{"label": label, "url": url} for may, label, url in found if may]


def _written(request: HttpRequest, row: TierScheme, *, is_new: bool) -> HttpResponse:
    program = row.program
    before = None if is_new else as_it_was(row)
    data = request.POST or None
    form = SchemeForm(program, data, instance=row)
    basis = request.POST.get("basis", row.basis)
    tiers = tier_forms(program, basis, row, data)
    if request.method == "POST" and form.is_valid() & tiers.is_valid():
        saved = form.save(commit=False)
        saved.tiers = tiers.values
        saved.save()
        note_change(request, saved, program, before=before)
        messages.success(request, _("Kept."))
        return HttpResponseRedirect(page_of(saved))
    shown = program if is_new else row
    title = _("New draft of tiers") if is_new else _("Change")
    return _page(request, "write", shown, title, form=form, tiers=tiers, back_url=page_of(shown))


def _page(
    request: HttpRequest, template: str, row: Any, title: StrOrPromise, **context: object
) -> HttpResponse:
    return TemplateResponse(
        request,
        f"admin/tiers/{template}.html",
        {
            **admin.site.each_context(request),
            "title": title,
            "opts": row._meta,
            "row": row,
            "row_url": page_of(row),
            "list_url": address(type(row), "changelist"),
            **context,
        },
    )
