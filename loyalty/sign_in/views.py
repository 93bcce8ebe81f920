"""The pages of the sign in: password, one-time password, setting it up, the password again.

`loyalty.back_office` puts them on the site. Whoever has typed only the password sees nothing else.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, authenticate, login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django_otp import login as remember_device

from loyalty import audit
from loyalty.models import AuditAction
from loyalty.sign_in import confirmation, devices, lockout, policy, sessions
from loyalty.sign_in.address import actor_of, client_address
from loyalty.sign_in.confirmation import password_confirmed, safe_next
from loyalty.sign_in.forms import PasswordAgainForm, PasswordForm, TokenForm

View = Callable[[HttpRequest], HttpResponse]


class SignIn(LoginView):
    """Username and password; leads to the next step when there is one."""

    authentication_form = PasswordForm
    template_name = "admin/login.html"

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """The password is right: a session, complete or not."""
        login(self.request, form.get_user())
        sessions.begin(self.request.session)
        confirmation.note_password(self.request.session)
        target = self.get_success_url()
        if step := next_step(self.request):
            return to_step(step, target)
        audit.record(AuditAction.SIGNED_IN, actor_of(self.request))
        return HttpResponseRedirect(target)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Refused: noted once, not while a lock holds anyway."""
        is_whole = {"username", "password"} <= form.cleaned_data.keys()
        if is_whole and not lockout.was_locked_before(self.request):
            audit.record(
                AuditAction.SIGN_IN_FAILED,
                None,
                username=lockout.known_username(form.cleaned_data["username"]),
                address=client_address(self.request),
            )
        return super().form_invalid(form)


def next_step(request: HttpRequest) -> str:
    """The page that a session with a password still has to pass; none when it is complete."""
    user = cast("User", request.user)
    # Already verified sessions cannot come here; one that has a device never sets up another.
    if policy.has_device(user):
        return "admin:verify"
    return "admin:enrol" if policy.needs_device(user) else ""


def with_password(view: View) -> View:
    """Let staff in who have typed the password, whatever else is missing."""

    @wraps(view)
    def inner(request: HttpRequest) -> HttpResponse:
        user = cast("User", request.user)
        if user.is_active and user.is_staff:
            return view(request)
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))

    return never_cache(csrf_protect(sensitive_post_parameters()(inner)))


@with_password
def verify(request: HttpRequest) -> HttpResponse:
    """The second step: a one-time password, or a backup code."""
    user = cast("User", request.user)
    target = _target(request)
    if policy.is_complete(request):
        return HttpResponseRedirect(target)
    if not policy.has_device(user):
        return to_step("admin:enrol", target)
    form = TokenForm(request.POST or None)
    if form.is_valid():
        verified = devices.verify(user, form.cleaned_data["token"])
        if verified.device:
            _complete(request, verified.device)
            return HttpResponseRedirect(target)
        form.refuse(wait=verified.wait, or_backup_code=True)
        _refused(request, "one-time password")
    return _page(request, "verify", {"form": form, "title": _("One-time password")}, target)


@with_password
@password_confirmed
def enrol(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator; the answer to the right token shows the backup codes, once."""
    user = cast("User", request.user)
    target = _target(request)
    if policy.has_device(user) and not policy.is_complete(request):
        return to_step("admin:verify", target)
    was_complete = policy.is_complete(request)
    form = TokenForm(request.POST or None)
    if form.is_valid():
        verified, codes = devices.confirm(user, form.cleaned_data["token"])
        if verified.device:
            _enrolled(request, verified.device, was_complete=was_complete)
            return _codes_page(request, codes, target)
        form.refuse(wait=verified.wait, or_backup_code=False)
    device = devices.pending(user)
    context = {
        "form": form,
        "title": _("Set up one-time passwords"),
        "picture": devices.picture_of(device),
        "secret": devices.secret_of(device),
        "is_required": policy.needs_device(user),
        "is_complete": was_complete,
    }
    return _page(request, "enrol", context, target)


@with_password
def confirm_password(request: HttpRequest) -> HttpResponse:
    """The password again, and nothing else; then on to where one was going."""
    user = cast("User", request.user)
    form = PasswordAgainForm(request.POST or None)
    if form.is_valid():
        password = form.cleaned_data["password"]
        if authenticate(request, username=user.get_username(), password=password) is not None:
            confirmation.note_password(request.session)
            return HttpResponseRedirect(_target(request))
        form.refuse()
        if not lockout.was_locked_before(request):
            _refused(request, "password again")
    context = {"form": form, "title": _("Your password, again")}
    return _page(request, "confirm_password", context, _target(request))


def authenticator(request: HttpRequest) -> HttpResponse:
    """One's own one-time passwords: whether they are set up, and what can be done."""
    user = cast("User", request.user)
    context = {
        **admin.site.each_context(request),
        "title": _("One-time passwords"),
        "has_device": policy.has_device(user),
        "is_required": policy.needs_device(user),
        "codes_left": devices.backup_codes_left(user),
    }
    return render(request, "admin/sign_in/authenticator.html", context)


@require_POST
@password_confirmed
def new_backup_codes(request: HttpRequest) -> HttpResponse:
    """Other backup codes, shown once."""
    user = cast("User", request.user)
    if not policy.has_device(user):
        return HttpResponseRedirect(reverse("admin:authenticator"))
    codes = devices.new_backup_codes(user)
    audit.record(
        AuditAction.TOTP_ENROLLED, actor_of(request), subject=user, note="new backup codes"
    )
    return _codes_page(request, codes, reverse("admin:authenticator"))


def sign_out(request: HttpRequest, view: View) -> HttpResponse:
    """Note who leaves, then let Django's view do it."""
    if request.method == "POST" and request.user.is_authenticated:
        audit.record(AuditAction.SIGNED_OUT, actor_of(request))
    return view(request)


def _complete(request: HttpRequest, device: Any) -> None:
    # The session gets another key with its other rights.
    request.session.cycle_key()
    remember_device(request, device)
    audit.record(AuditAction.SIGNED_IN, actor_of(request))


def _enrolled(request: HttpRequest, device: Any, *, was_complete: bool) -> None:
    request.session.cycle_key()
    remember_device(request, device)
    actor = actor_of(request)
    audit.record(AuditAction.TOTP_ENROLLED, actor, subject=actor.user)
    if not was_complete:
        audit.record(AuditAction.SIGNED_IN, actor)


def _refused(request: HttpRequest, what: str) -> None:
    audit.record(AuditAction.SIGN_IN_FAILED, actor_of(request), note=what)


def _target(request: HttpRequest) -> str:
    given = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME)
    return safe_next(request, given)


def to_step(page: str, target: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse(page)}?{urlencode({REDIRECT_FIELD_NAME: target})}")


def _page(request: HttpRequest, name: str, context: dict[str, Any], target: str) -> HttpResponse:
    site = admin.site.each_context(request)
    return render(request, f"admin/sign_in/{name}.html", site | context | {"next": target})


def _codes_page(request: HttpRequest, codes: Any, target: str) -> HttpResponse:
    context = {"title": _("Backup codes"), "codes": codes}
    return _page(request, "backup_codes", context, target)
