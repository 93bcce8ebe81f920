"""The admin site of the store's staff. Outside `loyalty.admin`, which registers on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django_stubs_ext import StrOrPromise

from loyalty import audit
from loyalty.models import AuditAction
from loyalty.sign_in import policy, views
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import password_confirmed, safe_next


@dataclass(frozen=True, slots=True)
class Page:
    """A page that belongs to no model: its path below the site, and who serves it."""

    route: str
    name: str
    view: Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the navigation: a model ("loyalty.giftcard") or a page by its URL's name."""

    target: str
    title: StrOrPromise = ""
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the navigation; one without entries takes what no other one names."""

    key: str
    title: StrOrPromise
    entries: Sequence[Entry]


class BackOfficeSite(AdminSite):
    """Django's admin under the product's name, behind the whole sign in."""

    site_header = _("Gift cards and credit")
    site_title = _("Gift cards and credit")
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = True
    # Filled by `loyalty.admin`.
    pages: ClassVar[list[Page]] = []
    sections: ClassVar[list[Section]] = []

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff whose session is complete: with the one-time password, where one is needed."""
        return super().has_permission(request) and policy.is_complete(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The pages of the sign in, then all others."""
        return [
            path("sign-in/verify/", views.verify, name="verify"),
            path("sign-in/set-up/", views.enrol, name="enrol"),
            path("sign-in/password/", views.confirm_password, name="confirm_password"),
            path(
                "sign-in/authenticator/",
                self.admin_view(views.authenticator),
                name="authenticator",
            ),
            path(
                "sign-in/backup-codes/",
                self.admin_view(views.new_backup_codes),
                name="new_backup_codes",
            ),
            # Before Django's, which lets nobody out whose session is not complete.
            path("logout/", never_cache(self.logout), name="logout"),
            *(path(page.route, self.admin_view(page.view), name=page.name) for page in self.pages),
            *super().get_urls(),
        ]

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """What the person may see, in the order of their work instead of by application."""
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        if app_label:
            return apps
        models = {
            f"{app['app_label']}.{model['object_name'].lower()}": model
            for app in apps
            for model in app["models"]
        }
        named = {entry.target for section in self.sections for entry in section.entries}
        rest = [Entry(target) for target in models if target not in named]
        parts = [
            (section, [self._line(request, entry, models) for entry in section.entries or rest])
            for section in self.sections
        ]
        home = reverse("admin:index", current_app=self.name)
        return [
            {
                "name": section.title,
                "app_label": section.key,
                "app_url": f"{home}#{section.key}",
                "has_module_perms": True,
                "models": [line for line in lines if line],
            }
            for section, lines in parts
            if any(lines)
        ]

    def _line(
        self, request: HttpRequest, entry: Entry, models: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        if "." in entry.target:
            return models.get(entry.target)
        user = cast("User", request.user)
        if entry.permission and not user.has_perm(entry.permission):
            return None
        return {
            "name": entry.title,
            "object_name": entry.target,
            "admin_url": reverse(f"admin:{entry.target}", current_app=self.name),
            "add_url": None,
            "view_only": True,
            "perms": {},
        }

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The password page; who has typed it goes to the next step, or on."""
        if request.method == "GET" and super().has_permission(request):
            step = "" if policy.is_complete(request) else views.next_step(request)
            target = safe_next(request, request.GET.get(REDIRECT_FIELD_NAME))
            return views.to_step(step, target) if step else HttpResponseRedirect(target)
        context = {
            **self.each_context(request),
            "title": _("Sign in"),
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            "ended": request.GET.get("ended"),
            **(extra_context or {}),
        }
        if REDIRECT_FIELD_NAME not in {**request.GET, **request.POST}:
            context[REDIRECT_FIELD_NAME] = reverse("admin:index")
        request.current_app = self.name
        return cast("HttpResponse", views.SignIn.as_view(extra_context=context)(request))

    def logout(  # type: ignore[override]  # not always a page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Leave, at whatever step."""
        return views.sign_out(request, lambda given: super(BackOfficeSite, self).logout(given))

    @method_decorator(password_confirmed)
    def password_change(  # type: ignore[override]  # it may redirect
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One's own password. The one before is asked for twice: the first time, it is counted."""
        answer = super().password_change(request, extra_context)
        if isinstance(answer, HttpResponseRedirect):
            actor = actor_of(request)
            audit.record(AuditAction.PASSWORD_CHANGED, actor, subject=actor.user)
        return answer
