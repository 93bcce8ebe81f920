"""Self-tests in the back office: VTEX played against a store's own address, by a worker."""

from typing import Any, cast
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from giftcard_provider import self_tests
from giftcard_provider.models import HubChange, SelfTest
from giftcard_provider.self_check import BY_ID, VERDICTS, Verdict, told
from loyalty import audit
from loyalty.admin.base import NOTHING, ReadOnlyAdmin, badge, link, moment
from loyalty.admin.stores import StoreAdmin, StoreLink
from loyalty.models import AuditAction, GiftCard, Store
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed

REFRESH_SECONDS = 3
_LAST = 10
_STATUSES = {
    SelfTest.Status.WAITING: "open",
    SelfTest.Status.PASSED: "good",
    SelfTest.Status.FAILED: "bad",
}
_VERDICTS = {Verdict.PASSED: "good", Verdict.FAILED: "bad", Verdict.SKIPPED: "neutral"}
_WORST_FIRST = (Verdict.FAILED, Verdict.SKIPPED, Verdict.PASSED)


class SelfTestForm(forms.Form):
    """What is tested, and with which card."""

    service_url = forms.CharField(
        label=_("Service URL"),
        max_length=500,
        widget=forms.URLInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=_("The address that VTEX calls. The server calls it, too."),
    )
    card = forms.CharField(
        label=_("Test card"),
        max_length=64,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=_(
            "Id or code of a card of this store, for more than one purchase, that nobody uses"
            " meanwhile. What is bought is given back; the card's history keeps it."
        ),
    )

    def __init__(self, store: Store, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.store = store

    def clean_service_url(self) -> str:
        """An http address without a query; also one that only this network reaches."""
        given: str = self.cleaned_data["service_url"].strip().rstrip("/")
        parts = urlsplit(given)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValidationError(_("This is no http address."))
        return given

    def clean_card(self) -> GiftCard:
        """A card of the store that can be bought with more than once."""
        card = self_tests.card_named(self.store, self.cleaned_data["card"])
        if card is None:
            raise ValidationError(_("The store has no card of this id or code."))
        if not card.is_reusable:
            raise ValidationError(_("This card is for one purchase; the test makes many."))
        return card


@admin.register(SelfTest)
class SelfTestAdmin(ReadOnlyAdmin[SelfTest]):
    """The self-tests, each with the verdict of every check."""

    change_form_template = "admin/self_tests/test.html"
    list_display = ("made", "store", "service_url", "state", "failed", "requested_by")
    list_display_links = ("made",)
    list_filter = ("store", "status")
    list_select_related = ("store", "requested_by")
    fields = ("store", "service_url", "card_link", "state", "balance", "requested_by", "made")
    readonly_fields = fields
    made = moment("created_at", _("asked for at"))
    card_link = link("card", _("test card"))

    @admin.display(description=_("status"), ordering="status")
    def state(self, test: SelfTest) -> SafeString:
        """Whether every check has passed."""
        return badge(_STATUSES[SelfTest.Status(test.status)], test.get_status_display())

    @admin.display(description=_("failed checks"))
    def failed(self, test: SelfTest) -> int | str:
        """How many have not."""
        if not test.report:
            return NOTHING
        verdicts = [Verdict(row["verdict"]) for row in test.report["results"]]
        return verdicts.count(Verdict.FAILED)

    @admin.display(description=_("balance before and after"))
    def balance(self, test: SelfTest) -> str:
        """As the provider told it."""
        before, after = (test.report.get(f"balance_{when}") for when in ("before", "after"))
        if before is None:
            return NOTHING
        return f"{test.report['currency']} {before} → {after if after is not None else NOTHING}"

    def get_urls(self) -> list[URLPattern]:
        """The page of a store's self-tests."""
        page = self.admin_site.admin_view(self.store_page)
        return [path("store/<int:pk>/", page, name="self_tests_of_store"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """A self-test, with its verdicts."""
        test: SelfTest = context["original"]
        job = test.job
        is_open = test.status == SelfTest.Status.WAITING and not (job and job.finished_at)
        context |= {
            "refresh_seconds": REFRESH_SECONDS if is_open else None,
            "job_failed": bool(job and job.error),
            "rows": _rows(test),
            "counts": _counts(test),
            "tests_page": reverse("admin:self_tests_of_store", args=[test.store_id]),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(password_confirmed)
    def store_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start a self-test; the last ones."""
        if not _may(request):
            raise PermissionDenied
        store = get_object_or_404(Store, pk=pk)
        tests = list(SelfTest.objects.filter(store=store).select_related("store")[:_LAST])
        form = SelfTestForm(store, request.POST or None, initial=_initial(store, tests))
        if form.is_valid():
            return self._start(request, store, form)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Self-test"),
            "store": store,
            "form": form,
            "tests": [
                (test, self.made(test), self.state(test), self.failed(test)) for test in tests
            ],
        }
        return render(request, "admin/self_tests/store.html", context)

    def _start(self, request: HttpRequest, store: Store, form: SelfTestForm) -> HttpResponse:
        actor = actor_of(request)
        card, service_url = form.cleaned_data["card"], form.cleaned_data["service_url"]
        test = self_tests.start(store, service_url=service_url, card=card, requested_by=actor.user)
        audit.record(
            AuditAction.SELF_TESTED,
            actor,
            subject=test,
            card=card,
            after={"service_url": service_url},
        )
        page = reverse("admin:giftcard_provider_selftest_change", args=[test.pk])
        return HttpResponseRedirect(page)


def _may(request: HttpRequest) -> bool:
    return cast("User", request.user).has_perm("giftcard_provider.add_selftest")


def _initial(store: Store, tests: list[SelfTest]) -> dict[str, str]:
    """The address and card of the last one, or the address that was registered."""
    if tests:
        return {"service_url": tests[0].service_url, "card": tests[0].card.public_id}
    registered = HubChange.objects.filter(
        store=store, kind=HubChange.Kind.REGISTER, status=HubChange.Status.DONE
    ).first()
    return {"service_url": registered.service_url if registered else ""}


def _counts(test: SelfTest) -> list[tuple[SafeString, int]]:
    """How many checks ended how, what is worst first."""
    verdicts = [Verdict(result["verdict"]) for result in test.report.get("results", [])]
    return [
        (badge(_VERDICTS[verdict], VERDICTS[verdict]), verdicts.count(verdict))
        for verdict in _WORST_FIRST
        if verdict in verdicts
    ]


def _rows(test: SelfTest) -> list[dict[str, Any]]:
    """The verdicts, what failed first. A check that is no more has its id only."""
    rows = []
    for result in test.report.get("results", []):
        check, verdict = BY_ID.get(result["check"]), Verdict(result["verdict"])
        rows.append(
            {
                "rank": _WORST_FIRST.index(verdict),
                "id": result["check"],
                "sentence": check.sentence if check else "",
                "source": check.source if check else "",
                "badge": badge(_VERDICTS[verdict], VERDICTS[verdict]),
                "reason": told(result["reason"], result["values"]),
                "is_failed": verdict == Verdict.FAILED,
            }
        )
    return sorted(rows, key=lambda row: cast("int", row["rank"]))


def _link(request: HttpRequest, store: Store) -> StoreLink | None:
    if not _may(request):
        return None
    return StoreLink(_("Self-test"), reverse("admin:self_tests_of_store", args=[store.pk]))


StoreAdmin.links.append(_link)
