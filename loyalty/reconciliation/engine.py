"""A run: the store's purchases beside our debits, slice by slice, then what is still open of ours.

Every slice commits its differences and then how far it came: a run that dies goes on there, and a
slice done twice changes nothing. What moved within the last hour, there or here, is left alone.
"""

import datetime
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from django.utils import timezone

from loyalty.models import DiscrepancyKind, ReconciliationRun, Transaction
from loyalty.order_sources import OrderSource, Purchase, SourceUnreadable, Window, WindowKind
from loyalty.reconciliation import books, comparison, differences
from loyalty.reconciliation.findings import Comparison

# So long something may still be on its way from one side to the other.
QUIET = datetime.timedelta(hours=1)
# A purchase may take as long until the store has an order of it.
ABANDONED_AFTER = datetime.timedelta(hours=24)

AT_ONCE = 50
FIRST_STEP = datetime.timedelta(hours=1)
SHORTEST_STEP, LONGEST_STEP = datetime.timedelta(minutes=1), datetime.timedelta(days=7)
# A slice that takes less time grows, one that takes more shrinks.
QUICK, SLOW = 1.5, 6.0
KEPT_REASONS = 20

Each = TypeVar("Each")


def advance(run: ReconciliationRun, source: OrderSource) -> bool:
    """Compare the next slice; False when nothing is left. Raises `SourceError`, then unchanged."""
    if run.status != ReconciliationRun.Status.RUNNING:
        return False
    work = _Slice(run, source)
    if run.compared_until < run.until:
        return work.compare_window()
    if source.answers_look_ups and not run.progress.get("looked_up"):
        return work.look_up_open()
    return work.finish()


class _Slice:
    """One slice of a run. A batch at a time is in memory, and the numbers of the debits seen."""

    def __init__(self, run: ReconciliationRun, source: OrderSource) -> None:
        self.run, self.store, self.source = run, run.store, source
        self.counts: Counter[str] = Counter()
        self.seen: set[int] = set()
        self.began, self.calls_before = time.monotonic(), source.calls
        self.before = (run.compared_until, dict(run.progress))

    def compare_window(self) -> bool:
        step = datetime.timedelta(seconds=self.run.progress.get("step", FIRST_STEP.total_seconds()))
        until = min(self.run.compared_until + step, self.run.until)
        window = Window(WindowKind(self.run.by), self.run.compared_until, until)
        for purchases in _batches(self.source.purchases(window), AT_ONCE):
            self._compare(purchases)
        mine = [pk for pk in books.moved_in(self.store, window) if pk not in self.seen]
        for ids in _batches(mine, AT_ONCE):
            self._look_up(books.transactions(self.store, ids))
        self.run.compared_until = until
        self.run.progress["step"] = self._next_step(step).total_seconds()
        return self._save()

    def look_up_open(self) -> bool:
        """The next of our own open items: differences, then holds that are old."""
        progress = self.run.progress
        rows = books.open_differences(
            self.store, after=progress.get("difference", 0), before=self.run.started_at
        )
        found = list(rows.values_list("pk", "transaction_id", "order_group")[:AT_ONCE])
        if found:
            progress["difference"] = found[-1][0]
            ids = {transaction_id for _, transaction_id, _ in found if transaction_id}
            self._look_up(books.transactions(self.store, ids))
            self._ask({group for _, transaction_id, group in found if not transaction_id})
            return self._save()
        age = datetime.timedelta(days=self.store.open_hold_alert_days)
        holds = books.old_holds(
            self.store, after=progress.get("hold", 0), before=self.run.started_at - age
        )
        ids = set(holds.values_list("transaction_id", flat=True)[:AT_ONCE])
        if ids:
            progress["hold"] = max(ids)
            debits = books.transactions(self.store, ids)
            self._look_up([debit for debit in debits if debit.held])
        else:
            progress["looked_up"] = True
        return self._save()

    def finish(self) -> bool:
        """The run is over."""
        self.run.status = ReconciliationRun.Status.DONE
        self.run.finished_at = timezone.now()
        self._save()
        return False

    # --- Comparing ---

    def _compare(self, purchases: Sequence[Purchase]) -> None:
        self.counts["purchases"] += len(purchases)
        self.counts["payments"] += sum(len(purchase.payments) for purchase in purchases)
        ours = books.related(self.store, purchases)
        self.seen.update(each.pk for each in ours)
        debits = [each for each in ours if each.kind == books.DEBIT]
        asked = [
            self.source.detailed(purchase)
            if comparison.needs_details(purchase, _of(purchase, debits))
            else purchase
            for purchase in purchases
        ]
        # What was moved while the store was asked would look like a difference.
        ours = books.transactions(self.store, [each.pk for each in ours])
        for purchase in asked:
            self._compare_one(purchase, ours)

    def _compare_one(self, purchase: Purchase, ours: Sequence[Transaction]) -> None:
        debits = _of(purchase, [each for each in ours if each.kind == books.DEBIT])
        if self._is_moving(purchase, debits):
            self.counts["moving"] += 1
            return
        result = comparison.compare(purchase, debits)
        given = [each for each in ours if each.kind == books.CREDIT and each.card.relation_name]
        if purchase.rewards:
            result.findings.extend(
                comparison.of_rewards(purchase, given, currency=self.store.currency)
            )
        else:
            result.unjudged.add(DiscrepancyKind.REWARD)
        self._keep(result, [purchase.group], debits)

    def _is_moving(self, purchase: Purchase, debits: Sequence[Transaction]) -> bool:
        since = timezone.now() - QUIET
        is_new_there = purchase.changed_at is not None and purchase.changed_at > since
        return is_new_there or any(books.moved_at(debit) > since for debit in debits)

    def _look_up(self, debits: Sequence[Transaction]) -> None:
        """Ask about debits one by one; without an answer only age is evidence."""
        missing = []
        for debit in debits:
            if debit.pk in self.seen:
                continue
            self.seen.add(debit.pk)
            self.counts["looked_up"] += 1
            try:
                found = self.source.look_up(order_id=debit.order_id, tid=debit.public_id)
            except SourceUnreadable as error:
                self._note(debit.order_id or debit.public_id, error)
                continue
            if found is None:
                missing.append(debit)
            else:
                self._compare([found])
        self._keep_missing(missing)

    def _ask(self, groups: Iterable[str]) -> None:
        for group in sorted(groups):
            self.counts["looked_up"] += 1
            try:
                found = self.source.look_up(order_id=group, tid="") if group else None
            except SourceUnreadable as error:
                self._note(group, error)
                continue
            if found:
                self._compare([found])

    def _note(self, name: str, error: SourceUnreadable) -> None:
        """One that cannot be read is neither there nor missing."""
        self.source.unreadable.append(f"{name}: {error}")

    def _keep_missing(self, debits: Sequence[Transaction]) -> None:
        known_until = timezone.now() if self.source.answers_look_ups else self.run.until
        for debit in debits:
            if debit.created_at > known_until - ABANDONED_AFTER:
                self.counts["moving"] += 1
                continue
            why = "no_order" if debit.order_id else "no_order_named"
            self._keep(comparison.without_purchase([debit], why=why), [], [debit])

    def _keep(
        self, result: Comparison, groups: Sequence[str], debits: Sequence[Transaction]
    ) -> None:
        self.counts.update(finding.kind for finding in result.findings)
        self.counts.update(differences.keep(self.run, result.findings))
        self.counts["closed"] += differences.close_gone(
            self.store,
            order_groups=groups,
            transaction_ids=[debit.pk for debit in debits],
            found=result.findings,
            unjudged=result.unjudged,
        )

    # --- Progress ---

    def _next_step(self, step: datetime.timedelta) -> datetime.timedelta:
        took = time.monotonic() - self.began
        if took < QUICK:
            return min(step * 2, LONGEST_STEP)
        return max(step / 2, SHORTEST_STEP) if took > SLOW else step

    def _save(self) -> bool:
        """Keep how far it came; False when another worker has got there first."""
        run = self.run
        counts = Counter(run.counts)
        counts.update(self.counts)
        run.counts = {name: number for name, number in counts.items() if number}
        if self.source.unreadable:
            noted = run.progress.get("unreadable", []) + self.source.unreadable
            run.progress["unreadable"] = noted[:KEPT_REASONS]
            run.counts["unreadable"] = run.counts.get("unreadable", 0) + len(self.source.unreadable)
            self.source.unreadable.clear()
        run.progress.pop("failures", None)
        run.calls += self.source.calls - self.calls_before
        compared_until, progress = self.before
        as_seen = ReconciliationRun.objects.filter(
            pk=run.pk,
            status=ReconciliationRun.Status.RUNNING,
            compared_until=compared_until,
            progress=progress,
        )
        kept = as_seen.update(
            compared_until=run.compared_until,
            progress=run.progress,
            counts=run.counts,
            calls=run.calls,
            status=run.status,
            finished_at=run.finished_at,
            error="",
        )
        return bool(kept)


def _of(purchase: Purchase, debits: Sequence[Transaction]) -> list[Transaction]:
    """Those of a batch's debits that belong to this purchase."""
    tids = {payment.tid for payment in purchase.payments}
    payments = {payment.payment_id.upper() for payment in purchase.payments}
    orders = {purchase.group, *purchase.order_ids}
    return [
        debit
        for debit in debits
        if debit.public_id in tids
        or debit.request_id.upper() in payments
        or (debit.order_id and debit.order_id in orders)
    ]


def _batches(rows: Iterable[Each], size: int) -> Iterator[list[Each]]:
    waiting = iter(rows)
    while batch := list(islice(waiting, size)):
        yield batch
