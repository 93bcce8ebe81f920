"""Differences as they are kept: found again, closed, opened again; and what people do with them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict

from django.contrib.auth.models import User
from django.db.models import F, Q
from django.utils import timezone

from loyalty.models import Discrepancy, DiscrepancyKind, ReconciliationRun, Store
from loyalty.reconciliation.findings import Finding

OPEN, IGNORED, CLOSED = (
    Discrepancy.Status.OPEN,
    Discrepancy.Status.IGNORED,
    Discrepancy.Status.CLOSED,
)
_FIGURES = (
    *("severity", "currency", "amount", "ours", "theirs", "evidence", "remedy", "remedy_units"),
    *("order_group", "card_id", "transaction_id"),
)
# An ignored difference stays ignored while these are the same.
_WEIGHED = ("currency", "amount", "ours", "theirs")


def keep(run: ReconciliationRun, findings: Sequence[Finding]) -> dict[str, int]:
    """Keep what was found, each difference once however often it is found; how many of which."""
    if not findings:
        return {}
    now = timezone.now()
    by_key = {(finding.kind, finding.key): finding for finding in findings}
    rows = Discrepancy.objects.filter(
        store=run.store, kind__in={kind for kind, _ in by_key}, key__in={key for _, key in by_key}
    )
    known = {(DiscrepancyKind(row.kind), row.key): row for row in rows}
    new = [
        Discrepancy(store=run.store, run=run, first_seen=now, last_seen=now, **asdict(finding))
        for key, finding in by_key.items()
        if key not in known
    ]
    # Two runs at once find the same: the second leaves it at that.
    Discrepancy.objects.bulk_create(new, ignore_conflicts=True)
    counts = {"new": len(new), "known": 0, "reopened": 0}
    unchanged = []
    for key, row in known.items():
        if key not in by_key:
            continue
        finding = by_key[key]
        if row.status == CLOSED or (row.status == IGNORED and _differs(row, finding, _WEIGHED)):
            counts["reopened"] += _reopen(row, finding)
            continue
        counts["known"] += 1
        if _differs(row, finding, _FIGURES):
            values = {name: getattr(finding, name) for name in _FIGURES}
            Discrepancy.objects.filter(pk=row.pk).update(last_seen=now, **values)
        else:
            unchanged.append(row.pk)
    Discrepancy.objects.filter(pk__in=unchanged).update(last_seen=now)
    return counts


def close_gone(
    store: Store,
    *,
    order_groups: Collection[str],
    transaction_ids: Collection[int],
    found: Iterable[Finding],
    unjudged: Collection[DiscrepancyKind] = (),
) -> int:
    """Close what was looked at and is not there any more; how many differences that were."""
    still = {(finding.kind, finding.key) for finding in found}
    looked_at = Q(transaction__in=transaction_ids) | Q(order_group__in=set(order_groups) - {""})
    rows = Discrepancy.objects.filter(looked_at, store=store, status__in=[OPEN, IGNORED])
    gone = [
        pk
        for pk, kind, key in rows.exclude(kind__in=unjudged).values_list("pk", "kind", "key")
        if (DiscrepancyKind(kind), key) not in still
    ]
    if not gone:
        return 0
    open_still = Discrepancy.objects.filter(pk__in=gone, status__in=[OPEN, IGNORED])
    return open_still.update(status=CLOSED, closed_at=timezone.now())


def ignore(discrepancy: Discrepancy, *, because: str) -> bool:
    """Leave it at that, with a reason; False when it is not open (any more)."""
    if not because.strip():
        raise ValueError("A difference is ignored for a reason.")
    still_open = Discrepancy.objects.filter(pk=discrepancy.pk, status=OPEN)
    return bool(still_open.update(status=IGNORED, ignored_because=because.strip()[:500]))


def take_up(discrepancy: Discrepancy) -> bool:
    """Ignore it no longer; False when it is not ignored."""
    ignored = Discrepancy.objects.filter(pk=discrepancy.pk, status=IGNORED)
    return bool(ignored.update(status=OPEN, ignored_because=""))


def assign(discrepancy: Discrepancy, user: User | None) -> None:
    """Say who looks after it."""
    Discrepancy.objects.filter(pk=discrepancy.pk).update(assigned_to=user)


def annotate(discrepancy: Discrepancy, note: str) -> None:
    """Keep a note; no personal data of customers."""
    Discrepancy.objects.filter(pk=discrepancy.pk).update(note=note[:500])


def _differs(row: Discrepancy, finding: Finding, names: Iterable[str]) -> bool:
    return any(getattr(row, name) != getattr(finding, name) for name in names)


def _reopen(row: Discrepancy, finding: Finding) -> int:
    values = {name: getattr(finding, name) for name in _FIGURES}
    # As it was seen: of two runs at once one counts.
    as_seen = Discrepancy.objects.filter(pk=row.pk, status=row.status, reopened=row.reopened)
    return as_seen.update(
        status=OPEN,
        closed_at=None,
        ignored_because="",
        reopened=F("reopened") + 1,
        last_seen=timezone.now(),
        **values,
    )
