"""Who may do an action: permission, own identity, limits; and the second person above a limit."""

import datetime
import hashlib
import json
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty import audit, limits
from loyalty.actions import Action, rebuilt
from loyalty.actions.base import Subject
from loyalty.audit import Actor
from loyalty.exceptions import LedgerBusy, LedgerError
from loyalty.identity import Identity
from loyalty.models import Approval, AuditAction, AuditEvent, StaffProfile

LAPSES_AFTER = datetime.timedelta(days=7)

WAITING, APPROVED = Approval.Status.WAITING, Approval.Status.APPROVED


class ActionRefused(Exception):
    """Why a person may not do this, in words for them; nothing moved."""

    message: StrOrPromise = ""

    def __str__(self) -> str:
        return str(self.message)


class OwnCredit(ActionRefused):
    """The customer who would gain has the person's own e-mail or document."""

    message = _(
        "This customer has your own e-mail or document. Ask another person to do it: nobody may"
        " give credit to themselves."
    )


class OwnRequest(ActionRefused):
    """A person deciding what they asked for themselves."""

    message = _("You asked for this yourself. Another person has to decide.")


class NotWaiting(ActionRefused):
    """Decided by somebody else in the meantime, or lapsed."""

    message = _("This request no longer waits: see below what became of it.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action: done, or waiting as an approval; `is_repeat` when it was before."""

    subject: Subject | None = None
    approval: Approval | None = None
    is_repeat: bool = False


def request_id_of(action: Action, *, actor: Actor, token: str) -> str:
    """The request id of exactly this action by this person from this form.

    A double click, the back button and a second tab come with the same; another amount or card
    never does, so that no reservation or approval of one action serves another.
    """
    meaning = json.dumps(
        [token, actor.user.pk, action.name, action.parameters], sort_keys=True, default=list
    )
    return f"staff:{hashlib.sha256(meaning.encode()).hexdigest()[:48]}"


def carry_out(action: Action, *, actor: Actor, token: str) -> Outcome:
    """Do an action, or have it wait for another person when it is above the limits. Once each.

    `token` is the form's, random, made when the form was opened. Raises `PermissionDenied`,
    `ActionRefused`, and what the ledger refuses (`LedgerError`).
    """
    if not actor.user.has_perm(action.permission):
        raise PermissionDenied
    refuse_own(action, actor.user)
    request_id = request_id_of(action, actor=actor, token=token)
    if known := Approval.objects.filter(request_id=request_id).first():
        return Outcome(approval=known, is_repeat=True)
    if action.is_unproven or not _reserve(action, actor.user, request_id):
        return _ask(action, actor, request_id)
    is_repeat = AuditEvent.objects.filter(action=action.name, request_id=request_id).exists()
    before = action.figures()
    try:
        subject = action.perform(request_id=request_id, actor=actor.ledger_name)
    except LedgerBusy:
        raise  # the outcome is unknown: the reservation stays for the repeat
    except LedgerError:
        limits.release(request_id)
        raise
    _record(action, actor, before=before, request_id=request_id, name=action.name)
    return Outcome(subject=subject, is_repeat=is_repeat)


def refuse_own(action: Action, user: User) -> None:
    """Raise `OwnCredit` when the person would gain by the action."""
    own = own_identity(user)
    if own and action.favors(own):
        raise OwnCredit


def own_identity(user: User) -> Identity:
    """A person of the staff as a customer: whom they may do nothing for."""
    profile = StaffProfile.objects.filter(user=user).first()
    return Identity.of(email=user.email, document=profile.document if profile else "")


def needs_another_person(action: Action, user: User) -> bool:
    """Whether the action, as things stand, would wait for another person."""
    if action.is_unproven:
        return True
    amount = _minor_units(action)
    limit = limits.limit_of(user, action.currency)
    if limit.per_action is not None and amount > limit.per_action:
        return True
    spent = limits.spent_on(user, action.currency, limits.today(action.store))
    return limit.per_day is not None and bool(amount) and spent + amount > limit.per_day


def approve(approval: Approval, *, actor: Actor, note: str = "") -> Approval:
    """Decide for it and do it. Raises `PermissionDenied`, `OwnRequest`, `OwnCredit`, `NotWaiting`.

    What the ledger refuses then ends as failed, with the reason, and is not raised.
    """
    action = rebuilt(approval.action, approval.parameters)
    refuse_own(action, actor.user)
    _decide(approval, actor, APPROVED, note)
    return finish(approval)


def reject(approval: Approval, *, actor: Actor, note: str = "") -> Approval:
    """Decide against it: nothing will move."""
    _decide(approval, actor, Approval.Status.REJECTED, note)
    rebuilt(approval.action, approval.parameters).withdraw()
    return Approval.objects.get(pk=approval.pk)


def finish(approval: Approval) -> Approval:
    """Do what was approved; safe to repeat, also when a crash came before its end."""
    approval = Approval.objects.select_related("requested_by").get(pk=approval.pk)
    if approval.status != APPROVED:
        return approval
    action = rebuilt(approval.action, approval.parameters)
    requester = Actor(approval.requested_by)
    before = action.figures()
    status, failure = Approval.Status.DONE, ""
    try:
        action.perform(request_id=approval.request_id, actor=requester.ledger_name)
    except LedgerBusy:
        return approval  # not known: it stays approved, and is done again
    except LedgerError as error:
        status, failure = Approval.Status.FAILED, error.code
        action.withdraw()
    else:
        _record(
            action,
            requester,
            before=before,
            request_id=approval.request_id,
            name=action.name,
        )
    Approval.objects.filter(pk=approval.pk, status=APPROVED).update(status=status, failure=failure)
    return Approval.objects.get(pk=approval.pk)


def finish_interrupted() -> int:
    """Do what was approved a minute ago or more and not done since; how many there were."""
    late = timezone.now() - datetime.timedelta(minutes=1)
    found = list(Approval.objects.filter(status=APPROVED, decided_at__lt=late))
    for approval in found:
        finish(approval)
    return len(found)


def lapse_due() -> int:
    """End the requests that nobody decided in time; how many there were."""
    due = list(Approval.objects.filter(status=WAITING, expires_at__lte=timezone.now()))
    lapsed = 0
    for approval in due:
        waiting = Approval.objects.filter(pk=approval.pk, status=WAITING)
        if waiting.update(status=Approval.Status.LAPSED):
            rebuilt(approval.action, approval.parameters).withdraw()
            lapsed += 1
    return lapsed


def _minor_units(action: Action) -> int:
    return limits.minor_units(action.amount, currency=action.currency, exponent=action.exponent)


def _reserve(action: Action, user: User, request_id: str) -> bool:
    return limits.reserve(
        user,
        store=action.store,
        currency=action.currency,
        amount=_minor_units(action),
        request_id=request_id,
    )


def _ask(action: Action, actor: Actor, request_id: str) -> Outcome:
    preview = action.preview(request_id=request_id)
    now = timezone.now()
    approval, is_new = Approval.objects.get_or_create(
        request_id=request_id,
        defaults={
            "action": action.name,
            "parameters": action.parameters,
            "store": action.store,
            "card": action.card,
            "customer": action.customer,
            "currency": action.currency,
            "exponent": action.exponent,
            "amount": action.amount,
            "before": preview.before,
            "after": preview.after,
            "reason": action.reason,
            "note": action.note,
            "requested_by": actor.user,
            "requested_at": now,
            "expires_at": now + LAPSES_AFTER,
        },
    )
    if is_new:
        action.wait()
        audit.record(
            AuditAction.APPROVAL_REQUESTED,
            actor,
            subject=approval,
            card=action.card,
            customer=action.customer,
            store=action.store,
            currency=action.currency,
            amount=_minor_units(action),
            before=preview.before,
            after=preview.after,
            reason=action.reason,
            note=action.note,
            request_id=request_id,
        )
    return Outcome(approval=approval, is_repeat=not is_new)


def _decide(approval: Approval, actor: Actor, status: Approval.Status, note: str) -> None:
    if not actor.user.has_perm("loyalty.decide_approval"):
        raise PermissionDenied
    if approval.requested_by_id == actor.user.pk:
        raise OwnRequest
    now = timezone.now()
    # One row, one winner: whoever comes second finds that it no longer waits.
    waiting = Approval.objects.filter(pk=approval.pk, status=WAITING, expires_at__gt=now)
    decided = waiting.exclude(requested_by=actor.user).update(
        status=status, decided_by=actor.user, decided_at=now, decision_note=note
    )
    if not decided:
        raise NotWaiting
    audit.record(
        AuditAction.APPROVED if status == APPROVED else AuditAction.REJECTED,
        actor,
        subject=approval,
        store=approval.store,
        card=approval.card,
        customer=approval.customer,
        note=note,
        request_id=f"decision:{approval.pk}",
    )


def _record(
    action: Action,
    actor: Actor,
    *,
    before: dict[str, int | str | None],
    request_id: str,
    name: AuditAction,
) -> None:
    after = action.figures()
    changed = [figure for figure in after if before.get(figure) != after[figure]]
    audit.record(
        name,
        actor,
        subject=action.subject,
        store=action.store,
        card=action.card,
        customer=action.customer,
        currency=action.currency,
        amount=_minor_units(action),
        before={figure: before.get(figure) for figure in changed},
        after={figure: after[figure] for figure in changed},
        reason=action.reason,
        note=action.note,
        request_id=request_id,
    )
