"""The people of the back office: who they are, what they may, and their one-time passwords.

Nobody is deleted: an account is closed (`is_active`). Nobody changes their own account here, and
only a superuser the account of a superuser. Roles come from the code (`loyalty.roles`).
"""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from loyalty import audit, roles
from loyalty.admin.base import NOTHING, ReadOnlyAdmin
from loyalty.admin.document_field import checked_document
from loyalty.models import AuditAction, StaffProfile
from loyalty.sign_in import devices, lockout, policy
from loyalty.sign_in.address import actor_of
from loyalty.sign_in.confirmation import ask, is_fresh, password_confirmed

# Contents of these are nobody's business in the audit trail: that they changed is enough.
_PRIVATE = ("first_name", "last_name", "email", "document")

for _model in (User, Group, TOTPDevice, StaticDevice):
    admin.site.unregister(_model)


class ConfirmedChanges(admin.ModelAdmin[Any]):
    """A mixin: forms that change something open after the password; nothing is ever deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may, ever."""
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page; whoever can change something on it types the password first."""
        row = self.get_object(request, unquote(object_id)) if object_id else None
        may_write = (
            self.has_change_permission(request, row)
            if object_id
            else self.has_add_permission(request)
        )
        if may_write and not is_fresh(request.session):
            return ask(request)
        return super().changeform_view(request, object_id, form_url, extra_context)


class RoleChoice(forms.ModelMultipleChoiceField[Group]):
    """Roles with what each is for."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        """The role's name in the page's language, and its duty."""
        duty = roles.DUTIES.get(obj.name)
        return f"{roles.label(obj.name)}: {duty}" if duty else str(obj.name)


class ProfileForm(forms.ModelForm[StaffProfile]):
    """The document of a person, by which nobody gives credit to themselves."""

    class Meta:
        model = StaffProfile
        fields = ("document",)

    def clean_document(self) -> str:
        """A CPF or CNPJ that is one; documents of other countries as they are."""
        return checked_document(self.cleaned_data["document"])


class ProfileInline(admin.StackedInline[StaffProfile, User]):
    """On the person's page."""

    model = StaffProfile
    form = ProfileForm
    can_delete = False
    extra, min_num, max_num = 0, 1, 1
    verbose_name_plural = _("Own document")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the person."""
        return self._may(request, obj, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the person."""
        return self._may(request, obj, "change")

    def _may(self, request: HttpRequest, obj: Any, verb: str) -> bool:
        user = cast("User", request.user)
        return user.has_perm(f"loyalty.{verb}_staffprofile") and _may_change(user, obj)


@admin.register(User)
class StaffAdmin(ConfirmedChanges, UserAdmin[User]):
    """People, their roles, and the way back in for who is locked out."""

    change_form_template = "admin/staff/person.html"
    change_list_template = "admin/staff/people.html"
    add_form = UserCreationForm
    inlines = (ProfileInline,)
    list_display = ("username", "full_name", "roles", "is_active", "has_device", "last_login")
    list_filter = ("is_active", "groups", "is_superuser")
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Access"), {"fields": ("is_active", "groups", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    *("username", "first_name", "last_name", "email"),
                    *("password1", "password2"),
                ),
            },
        ),
    )

    @admin.display(description=_("name"), ordering="last_name")
    def full_name(self, user: User) -> str:
        """First and last name."""
        return user.get_full_name() or NOTHING

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        """The roles in the page's language."""
        names = [str(roles.label(group.name)) for group in user.groups.all()]
        if user.is_superuser:
            names.insert(0, gettext("everything (superuser)"))
        return ", ".join(names) or NOTHING

    @admin.display(description=_("one-time passwords"), boolean=True)
    def has_device(self, user: Any) -> bool:
        """Whether they are set up."""
        return bool(user.with_device)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Everybody, with what the list shows."""
        confirmed = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(with_device=Exists(confirmed)).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not one's own account, nor a superuser's without being one."""
        user = cast("User", request.user)
        return super().has_change_permission(request, obj) and _may_change(user, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Only a superuser makes superusers; nobody locks themselves out."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        user = cast("User", request.user)
        if obj is not None and obj.pk == user.pk:
            return (*fixed, "is_active", "is_superuser")
        return fixed if user.is_superuser else (*fixed, "is_superuser")

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Roles as a list of boxes that say what each is for."""
        if db_field.name == "groups":
            kwargs["form_class"] = RoleChoice
            kwargs["queryset"] = Group.objects.order_by("id")
            return db_field.formfield(**kwargs, label=_("roles"), help_text="")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """The document once there is an account."""
        return self.inlines if obj else ()

    def get_urls(self) -> list[URLPattern]:
        """Also: unlock, take one-time passwords away, everybody who is locked out."""
        wrap = self.admin_site.admin_view
        return [
            path("locked-out/", wrap(self.locked_out), name="locked_out"),
            path("<int:pk>/unlock/", wrap(self.unlock), name="unlock"),
            path("<int:pk>/reset-device/", wrap(self.reset_device), name="reset_device"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, with what can be done about the person's sign in."""
        person = context.get("original")
        if person is not None:
            may_help = _may_help(cast("User", request.user), person)
            context["may_help"] = may_help
            context["locks"] = lockout.locks(person) if may_help else []
            context["person_has_device"] = policy.has_device(person)
            context["needs_device"] = policy.needs_device(person)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        """New accounts are for the back office; the state before is kept for the audit trail."""
        if change:
            form.before = _state(User.objects.get(pk=obj.pk))
        else:
            form.before = {}
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        """With roles and document saved: one event that says what is different."""
        super().save_related(request, form, formsets, change)
        after = _state(User.objects.get(pk=form.instance.pk))
        before, after = _different(form.before, after)
        if after:
            audit.record(
                AuditAction.CHANGED if change else AuditAction.ADDED,
                actor_of(request),
                subject=form.instance,
                before=before,
                after=after,
            )

    @method_decorator(sensitive_post_parameters())
    @method_decorator(password_confirmed)
    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Give somebody a new password."""
        answer = super().user_change_password(request, id, form_url)
        if request.method == "POST" and isinstance(answer, HttpResponseRedirect):
            person = self.get_object(request, unquote(id))
            audit.record(AuditAction.PASSWORD_CHANGED, actor_of(request), subject=person)
        return answer

    def locked_out(self, request: HttpRequest) -> HttpResponse:
        """Everybody who is locked out now."""
        user = cast("User", request.user)
        if not user.has_perm("loyalty.unlock_staff"):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Locked out"),
            "opts": self.opts,
            "locks": [(lock, _may_help(user, lock.user)) for lock in lockout.locks()],
        }
        return render(request, "admin/staff/locked_out.html", context)

    @method_decorator(require_POST)
    def unlock(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let somebody try again."""
        person = self._to_help(request, pk)
        lockout.unlock(person, actor=actor_of(request))
        messages.success(
            request, _("%(name)s can sign in again.") % {"name": person.get_username()}
        )
        return HttpResponseRedirect(self._page(person))

    @method_decorator(password_confirmed)
    def reset_device(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take the authenticator and backup codes of somebody away who lost them; asks once."""
        person = self._to_help(request, pk)
        if request.method == "POST":
            if devices.reset(person):
                audit.record(AuditAction.TOTP_RESET, actor_of(request), subject=person)
            messages.success(
                request,
                _("%(name)s sets one-time passwords up at the next sign in.")
                % {"name": person.get_username()},
            )
            return HttpResponseRedirect(self._page(person))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Reset one-time passwords"),
            "opts": self.opts,
            "person": person,
            "back": self._page(person),
        }
        return render(request, "admin/staff/reset_device.html", context)

    def _to_help(self, request: HttpRequest, pk: int) -> User:
        person = User.objects.filter(pk=pk).first()
        if person is None:
            raise Http404
        if not _may_help(cast("User", request.user), person):
            raise PermissionDenied
        return person

    def _page(self, person: User) -> str:
        return reverse("admin:auth_user_change", args=[person.pk])


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin[Group]):
    """The roles, to read: `manage.py sync_roles` makes them from the code."""

    list_display = ("role", "duty", "people")
    search_fields = ("name",)
    ordering = ("id",)
    fields = ("role", "duty", "people", "allowed")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """The roles, each with how many people have it."""
        active = Count("user", filter=Q(user__is_active=True))
        return super().get_queryset(request).annotate(active=active)

    @admin.display(description=_("role"), ordering="id")
    def role(self, group: Group) -> str:
        """Its name in the page's language."""
        return str(roles.label(group.name))

    @admin.display(description=_("what it is for"))
    def duty(self, group: Group) -> str:
        """In a few words."""
        return str(roles.DUTIES.get(group.name, NOTHING))

    @admin.display(description=_("people"), ordering="active")
    def people(self, group: Any) -> str:
        """How many have it whose account is open."""
        return str(group.active)

    @admin.display(description=_("permissions"))
    def allowed(self, group: Group) -> SafeString:
        """The permissions by name."""
        rows = group.permissions.select_related("content_type").order_by("codename")
        names = ((f"{row.content_type.app_label}.{row.codename}",) for row in rows)
        return format_html_join("", '<span class="code">{}</span><br>', names)


def _may_change(user: User, person: User | None) -> bool:
    if user.is_superuser or person is None:
        return True
    return not person.is_superuser and person.pk != user.pk


def _may_help(user: User, person: User) -> bool:
    """Whether this user may unlock that person and reset their one-time passwords."""
    return user.has_perm("loyalty.unlock_staff") and _may_change(user, person)


def _state(person: User) -> dict[str, Any]:
    profile = StaffProfile.objects.filter(user=person).first()
    return {
        "username": person.username,
        "is_active": person.is_active,
        "is_superuser": person.is_superuser,
        "roles": sorted(person.groups.values_list("name", flat=True)),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "document": profile.document if profile else "",
    }


def _different(
    before: dict[str, Any], after: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both states without what is the same and without what is private."""
    names = [name for name in after if before.get(name) != after[name]]
    private = [name for name in names if name in _PRIVATE and (before.get(name) or after[name])]
    shown: Iterable[str] = [name for name in names if name not in _PRIVATE]
    changed = {"fields": private} if private else {}
    return (
        {name: before[name] for name in shown if name in before},
        {name: after[name] for name in shown} | changed,
    )
