"""Our place in a store's Gift Card Hub: taken, looked at, left, and what was there put back.

What is asked for is a row (`HubChange`) before anything is sent, so that it is known afterwards
what the account had, whatever happened in between. Nothing is overwritten that we did not make.
"""

import ipaddress
import re
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from giftcard_provider.models import Credential, HubChange, VtexKeys
from giftcard_provider.vtex import hub
from giftcard_provider.vtex.client import Client
from giftcard_provider.vtex.hub import Fate, Hub, Provider
from loyalty.models import Job, JobKind, OpenHold, Store
from loyalty.order_sources import SourceError

Kind, Status, Refusal = HubChange.Kind, HubChange.Status, HubChange.Refusal

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Refused(Exception):
    """Nothing was sent, or what came of it is wrong; the change has the reason."""

    def __init__(self, refusal: HubChange.Refusal, error: str = "") -> None:
        super().__init__(error or refusal.label)
        self.refusal = refusal
        self.error = error


def ask(
    store: Store,
    kind: HubChange.Kind,
    *,
    service_url: str = "",
    requested_by: User | None = None,
    in_worker: bool = False,
) -> HubChange:
    """Note down what is wanted; with `in_worker` a worker does it within seconds."""
    with atomic():
        change = HubChange.objects.create(
            store=store,
            kind=kind,
            provider_id=store.provider_id,
            service_url=service_url,
            requested_by=requested_by,
        )
        if in_worker:
            change.job = Job.objects.create(
                kind=JobKind.CHANGE_HUB,
                parameters={"change": change.pk},
                total=1,
                requested_by=requested_by,
            )
            change.save(update_fields=["job"])
    return change


def carry_out(change: HubChange) -> HubChange:
    """Do what was asked for, outside any transaction. Safe to repeat; one that is over stays so.

    What went wrong is in the change: `refusal`, and what VTEX said in `error`.
    """
    if not change.is_open:
        return change
    try:
        with closing(Client(_keys(change.store))) as client:
            _STEPS[Kind(change.kind)](change, Hub(client))
    except Refused as refused:
        _finish(change, Status.FAILED, refusal=refused.refusal, error=refused.error)
    except SourceError as error:
        _finish(change, Status.FAILED, refusal=Refusal.VTEX, error=str(error))
    else:
        _finish(change, Status.DONE)
    return change


def carry_out_job(job: Job) -> bool:
    """The same as a worker's only chunk."""
    change = HubChange.objects.select_related("store").get(pk=job.parameters["change"])
    carry_out(change)
    job.done = job.total
    return False


def check_address(service_url: str) -> None:
    """Refuse an address that VTEX cannot glue its paths to, or cannot reach."""
    parts = urlsplit(service_url)
    is_plain = service_url == f"https://{parts.netloc}{parts.path}" and "@" not in parts.netloc
    if not (is_plain and _PATH.fullmatch(parts.path) and _is_public(parts.hostname or "")):
        raise Refused(Refusal.BAD_ADDRESS)


def open_purchases(store: Store) -> int:
    """How many wait for a settlement or cancellation, which come through the registration."""
    return OpenHold.objects.filter(store=store).count()


def superseded(change: HubChange) -> list[Credential]:
    """The credentials of earlier registrations of the store that are still accepted."""
    earlier = HubChange.objects.filter(store=change.store, kind=Kind.REGISTER, pk__lt=change.pk)
    return list(Credential.objects.filter(pk__in=earlier.values("credential"), is_active=True))


def lost(change: HubChange, present: Sequence[Provider] | None = None) -> list[hub.Change]:
    """The providers of others that a registration changed or took away (known issue 768954).

    `present` stands in for what nobody could read after it.
    """
    after = present if change.after is None else change.after
    if change.kind != Kind.REGISTER or change.before is None or after is None:
        return []
    return [
        each
        for each in hub.changes(change.before, after)
        if each.fate != Fate.ADDED and each.provider_id.lower() != change.provider_id.lower()
    ]


def _register(change: HubChange, account: Hub) -> None:
    present = _read(change, account)
    _refuse_registering(change, present)
    # A new one each time: the tokens that VTEX may have stay good, whatever comes of this.
    change.credential, token = Credential.objects.issue(change.store)
    change.status = Status.SENT
    change.save(update_fields=["credential", "status"])
    account.register(
        change.provider_id,
        service_url=change.service_url,
        app_key=change.credential.app_key,
        app_token=token,
    )
    after = _read_again(change, account)
    ours = hub.named(after, change.provider_id)
    if ours is None or not hub.is_same({**ours, "caption": None}, hub.entry(change.service_url)):
        raise Refused(Refusal.NOT_AS_SENT)


def _look(change: HubChange, account: Hub) -> None:
    present = _read(change, account)
    if change.service_url:
        _refuse_registering(change, present)


def _unregister(change: HubChange, account: Hub) -> None:
    present = _read(change, account)
    ours = hub.named(present, change.provider_id)
    if ours is None:
        # A repetition of what was done, or there never was one.
        raise Refused(Refusal.NOT_THERE)
    _refuse_foreign(change, ours)
    change.service_url = str(ours.get("serviceUrl"))
    change.status = Status.SENT
    change.save(update_fields=["service_url", "status"])
    account.remove(change.provider_id)
    if hub.named(_read_again(change, account), change.provider_id) is not None:
        raise Refused(Refusal.NOT_AS_SENT)


def _restore(change: HubChange, account: Hub) -> None:
    present = _read(change, account)
    registrations = _sent(change.store).order_by("pk")
    if not registrations:
        raise Refused(Refusal.NOTHING_SAVED)
    wanted: dict[str, Provider] = {}
    for registration in registrations:
        for each in lost(registration, present):
            now = hub.named(present, each.provider_id)
            # What somebody changed since is theirs.
            if each.before and (now is None or (each.after and hub.is_same(now, each.after))):
                wanted.setdefault(each.provider_id.lower(), each.before)
    change.status = Status.SENT
    change.save(update_fields=["status"])
    for provider in wanted.values():
        account.put_back(provider)
    after = _read_again(change, account)
    for key, provider in wanted.items():
        now = hub.named(after, key)
        if now is None or not hub.is_same(now, provider):
            raise Refused(Refusal.NOT_AS_SENT)


_STEPS = {
    Kind.LOOK: _look,
    Kind.REGISTER: _register,
    Kind.UNREGISTER: _unregister,
    Kind.RESTORE: _restore,
}


def _keys(store: Store) -> VtexKeys:
    keys = VtexKeys.objects.select_related("store").filter(store=store, is_active=True).first()
    if keys is None:
        raise Refused(Refusal.NO_KEYS)
    return keys


def _read(change: HubChange, account: Hub) -> Sequence[Provider]:
    """The account as it is; kept as it was before, unless a try before this one has kept it."""
    present = account.providers()
    if change.before is None:
        change.before = present
        change.save(update_fields=["before"])
    return present


def _read_again(change: HubChange, account: Hub) -> Sequence[Provider]:
    change.after = account.providers()
    change.save(update_fields=["after"])
    return change.after


def _refuse_registering(change: HubChange, present: Sequence[Provider]) -> None:
    check_address(change.service_url)
    if not _ID.fullmatch(change.provider_id):
        raise Refused(Refusal.BAD_ID)
    ours = hub.named(present, change.provider_id)
    if ours is not None:
        _refuse_foreign(change, ours)


def _refuse_foreign(change: HubChange, entry: Provider) -> None:
    """Ours is what has the address that we once sent, under the id that we sent it."""
    sent = _sent(change.store).filter(provider_id__iexact=change.provider_id)
    if not sent.filter(service_url=str(entry.get("serviceUrl"))).exists():
        raise Refused(Refusal.NOT_OURS)


def _sent(store: Store) -> QuerySet[HubChange]:
    return HubChange.objects.filter(
        store=store, kind=Kind.REGISTER, credential__isnull=False
    ).exclude(status=Status.WAITING)


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".")


def _finish(
    change: HubChange, status: HubChange.Status, *, refusal: str = "", error: str = ""
) -> None:
    change.status, change.refusal, change.error = status, refusal, error
    change.finished_at = timezone.now()
    change.save(update_fields=["status", "refusal", "error", "finished_at"])
