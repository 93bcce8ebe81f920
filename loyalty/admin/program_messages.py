"""A program's messages: which are sent, and in whose words; with a preview and a test."""

import secrets
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import audit, notifications
from loyalty.admin.columns import address, page_of
from loyalty.admin.notifications import REFUSALS
from loyalty.admin.previews import preview_response, with_frame
from loyalty.models import AuditAction, Language, MessageKind, MessageText, Program
from loyalty.notifications import news
from loyalty.notifications.contents import SWITCHES, is_on, sample
from loyalty.notifications.letters import previewed
from loyalty.notifications.mailer import can_send
from loyalty.notifications.texts import (
    MEANINGS,
    PLACEHOLDERS,
    Words,
    problems,
    words_of,
)
from loyalty.sign_in.address import actor_of

CHANGE = "loyalty.change_program"


class SwitchesForm(forms.ModelForm[Program]):
    """Which messages the program sends."""

    class Meta:
        model = Program
        fields = (*SWITCHES.values(), "code_in_message")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = {SWITCHES[kind] for kind in _kinds(self.instance)}
        for name in set(SWITCHES.values()) - told:
            del self.fields[name]


class WordsForm(forms.Form):
    """A subject and a text for one kind of message in one language."""

    subject = forms.CharField(label=_("Subject"), max_length=150)
    body = forms.CharField(
        label=_("Text"), max_length=5000, widget=forms.Textarea(attrs={"rows": 12})
    )

    def __init__(self, kind: str, words: Words, data: Any = None) -> None:
        super().__init__(data, initial={"subject": words.subject, "body": words.body})
        self.kind = kind

    def clean_subject(self) -> str:
        """One line with known placeholders."""
        return self._checked("subject")

    def clean_body(self) -> str:
        """Plain text with known placeholders."""
        return self._checked("body")

    @property
    def words(self) -> Words:
        """What was typed. Only of a valid form."""
        return Words(self.cleaned_data["subject"], self.cleaned_data["body"])

    def _checked(self, name: str) -> str:
        text: str = self.cleaned_data[name]
        if found := list(problems(self.kind, text)):
            raise ValidationError(found)
        return text


@dataclass(frozen=True, slots=True)
class Tab:
    """One language of a text: whether the program has words of its own, and where they are."""

    label: str
    url: str
    is_own: bool
    is_current: bool = False


class ProgramMessageURLs(admin.ModelAdmin[Any]):
    """A mixin for the program's page: `<key>/messages/` and each text below it."""

    def get_urls(self) -> list[URLPattern]:
        """The pages here, before those of the program."""
        wrap = self.admin_site.admin_view
        below = "<int:pk>/messages/<slug:kind>/<slug:language>/"
        return [
            path("<int:pk>/messages/", wrap(self.message_page), name="loyalty_program_messages"),
            path(below, wrap(self.words_page), name="loyalty_program_words"),
            path(f"{below}preview/", wrap(self.preview), name="loyalty_program_preview"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The program, with the way there for whoever may go it."""
        row = context["original"]
        if row and cast("User", request.user).has_perm(CHANGE):
            url = reverse("admin:loyalty_program_messages", args=[row.pk])
            buttons = [*context.get("extra_buttons", ()), {"label": _("Messages"), "url": url}]
            context["extra_buttons"] = buttons
        return super().render_change_form(request, context, *args, **kwargs)

    def message_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The switches, and the way to each text."""
        program = _program(request, pk)
        before = {name: getattr(program, name) for name in SwitchesForm.Meta.fields}
        form = SwitchesForm(request.POST or None, instance=program)
        if request.method == "POST" and form.is_valid():
            form.save(commit=False).save(update_fields=list(form.fields))
            audit.record(
                AuditAction.CHANGED,
                actor_of(request),
                subject=program,
                store=program.store,
                before=before,
                after={name: getattr(program, name) for name in before},
            )
            messages.success(request, _("Kept."))
            return HttpResponseRedirect(request.path)
        own = set(MessageText.objects.filter(program=program).values_list("kind", "language"))
        rows = [
            (
                kind.label,
                is_on(program, kind),
                [_tab(program, kind, each, own) for each in Language],
            )
            for kind in _kinds(program)
        ]
        return self._page(
            request,
            "admin/messages/program.html",
            program,
            _("Messages"),
            form=form,
            rows=rows,
            can_send=can_send(),
        )

    def words_page(self, request: HttpRequest, pk: int, kind: str, language: str) -> HttpResponse:
        """The words of one message in one language."""
        program = _program(request, pk)
        _check(program, kind, language)
        form = WordsForm(kind, words_of(program, kind, language), request.POST or None)
        if "usual" in request.POST:
            return _forget_words(request, program, kind, language)
        if request.method == "POST" and form.is_valid():
            return _keep_words(request, program, kind, language, form.words)
        own = set(MessageText.objects.filter(program=program).values_list("kind", "language"))
        response = self._page(
            request,
            "admin/messages/words.html",
            program,
            capfirst(MessageKind(kind).label),
            form=form,
            tabs=[_tab(program, kind, each, own, current=language) for each in Language],
            is_own=(kind, language) in own,
            placeholders=[(f"{{{name}}}", MEANINGS[name]) for name in PLACEHOLDERS[kind]],
            preview_url=reverse("admin:loyalty_program_preview", args=[pk, kind, language]),
            messages_url=reverse("admin:loyalty_program_messages", args=[pk]),
            has_address=bool(cast("User", request.user).email),
            token=secrets.token_hex(16),
        )
        return with_frame(response)

    def preview(self, request: HttpRequest, pk: int, kind: str, language: str) -> HttpResponse:
        """What was typed, or what is kept, with made-up figures."""
        program = _program(request, pk)
        _check(program, kind, language)
        words = words_of(program, kind, language)
        if request.method == "POST":
            form = WordsForm(kind, words, request.POST)
            if not form.is_valid():
                found = {"problems": [each for errors in form.errors.values() for each in errors]}
                return preview_response(render_to_string("emails/preview.html", found))
            words = form.words
        return preview_response(previewed(sample(program, kind, language), words))

    def _page(
        self,
        request: HttpRequest,
        template: str,
        program: Program,
        title: StrOrPromise,
        **context: object,
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                "program": program,
                "row": program,
                "row_url": page_of(program),
                "list_url": address(Program, "changelist"),
                **context,
            },
        )


def _keep_words(
    request: HttpRequest, program: Program, kind: str, language: str, words: Words
) -> HttpResponse:
    actor = actor_of(request)
    MessageText.objects.update_or_create(
        program=program,
        kind=kind,
        language=language,
        defaults={"subject": words.subject, "body": words.body},
    )
    audit.record(
        AuditAction.CHANGED,
        actor,
        subject=program,
        store=program.store,
        after={"message": kind, "language": language},
    )
    if "test" not in request.POST:
        messages.success(request, _("Kept."))
        return HttpResponseRedirect(request.path)
    try:
        notifications.request_test(
            program, kind, language, token=request.POST.get("token", "")[:32], actor=actor
        )
    except notifications.CannotSend as refusal:
        messages.error(request, REFUSALS[refusal.reason])
    else:
        messages.success(request, _("Kept. The test is sent to your address within a minute."))
    return HttpResponseRedirect(request.path)


def _forget_words(request: HttpRequest, program: Program, kind: str, language: str) -> HttpResponse:
    MessageText.objects.filter(program=program, kind=kind, language=language).delete()
    audit.record(
        AuditAction.CHANGED,
        actor_of(request),
        subject=program,
        store=program.store,
        after={"message": kind, "language": language, "usual": True},
    )
    messages.success(request, _("The usual words are back."))
    return HttpResponseRedirect(request.path)


def _tab(
    program: Program,
    kind: str,
    language: Language,
    own: set[tuple[str, str]],
    *,
    current: str = "",
) -> Tab:
    url = reverse("admin:loyalty_program_words", args=[program.pk, kind, language.value])
    return Tab(language.label, url, (kind, language.value) in own, is_current=language == current)


def _program(request: HttpRequest, pk: int) -> Program:
    if not cast("User", request.user).has_perm(CHANGE):
        raise PermissionDenied
    program = Program.objects.select_related("store", "earning_policy").filter(pk=pk).first()
    if program is None:
        raise Http404
    return program


def _kinds(program: Program) -> list[MessageKind]:
    """What the program may write; statements are nobody's, and only who earns has news of it."""
    kinds = [MessageKind(kind) for kind in SWITCHES]
    return [kind for kind in kinds if kind not in news.KINDS or hasattr(program, "earning_policy")]


def _check(program: Program, kind: str, language: str) -> None:
    if kind not in _kinds(program) or language not in Language:
        raise Http404
