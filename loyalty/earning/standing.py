"""The tiers that customers have, kept in line with their orders, with the clock, and with staff."""

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from django.contrib.auth.models import User
from django.db.models import Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import jobs, notifications
from loyalty.earning.tiers import Basis, Climb, Gift, Ladder, Period, Scheme, Standing, Tier
from loyalty.models import (
    Customer,
    Job,
    JobKind,
    Program,
    ShopOrder,
    TierChange,
    TierGrant,
    TierScheme,
    TierStanding,
)

CHUNK = 200
_LONGEST_REASON = 300


def scheme_of(row: TierScheme) -> Scheme:
    """The scheme as the arithmetic takes it."""
    return Scheme(
        id=row.pk or 0,
        starts_at=row.starts_at,
        basis=Basis(row.basis),
        period=Period(row.period),
        days=row.days or 0,
        grace_days=row.grace_days,
        tiers=tuple(
            Tier(
                name=tier["name"],
                threshold=tier["threshold"],
                factor=Fraction(tier["multiplier"]),
                validity_days=tier["validity_days"],
            )
            for tier in row.tiers
        ),
    )


def ladder_of(program: Program, customer: Customer) -> Ladder | None:
    """What decides about a customer's tier besides the orders; None in a program without tiers."""
    return ladders_of(program, [customer.pk]).get(customer.pk)


def ladders_of(program: Program, customers: Collection[int]) -> Mapping[int, Ladder]:
    """The same for many customers; of none in a program without tiers."""
    schemes = list(TierScheme.objects.filter(program=program, switched_on_at__isnull=False))
    if not schemes:
        return {}
    grants: dict[int, list[TierGrant]] = {}
    given = TierGrant.objects.filter(_of_people(customers), program=program)
    for row in given.select_related("customer"):
        grants.setdefault(row.customer.merged_into_id or row.customer_id, []).append(row)
    return {each: _ladder(program, schemes, grants.get(each, ())) for each in customers}


def _of_people(customers: Collection[int]) -> Q:
    """What was given to these customers, or to whoever was merged into them."""
    return Q(customer__in=customers) | Q(customer__merged_into__in=customers)


def _ladder(program: Program, schemes: Iterable[TierScheme], grants: Iterable[TierGrant]) -> Ladder:
    return Ladder(
        schemes=tuple(scheme_of(row) for row in schemes),
        zone=program.store.zone,
        gifts=tuple(
            Gift(id=row.pk, since=row.given_at, name=row.tier, until=row.until) for row in grants
        ),
    )


def _climb(program: Program, customer: Customer, ladder: Ladder) -> Climb:
    """The customer's way so far, from the orders as last seen and what rules gave for them."""
    climb = Climb(ladder)
    by_rules = Q(earnings__rule__program=program, earnings__campaign=None)
    orders = (
        ShopOrder.objects.filter(customer=customer, paid_at__isnull=False)
        .annotate(points=Coalesce(Sum("earnings__due", filter=by_rules), 0))
        .order_by("paid_at", "order_id")
        .values_list("paid_at", "state", "currency", "kept", "points")
    )
    for paid_at, state, currency, kept, points in orders:
        assert paid_at is not None  # noqa: S101  it is asked for
        counts = state != ShopOrder.State.CANCELED and currency == program.store.currency
        climb.add(paid_at, spend=kept if counts else 0, points=points)
    return climb


@dataclass(frozen=True, slots=True)
class Held:
    """Where a customer is in a program now, and when that changes if nothing is bought."""

    program: Program
    standing: Standing
    grant: TierGrant | None
    changes_at: datetime.datetime | None


def held_by(customer: Customer) -> list[Held]:
    """A customer's tier in each program of the store that has tiers, by the orders as they are."""
    now = timezone.now()
    schemes: dict[Program, list[TierScheme]] = {}
    for row in (
        TierScheme.objects.filter(
            program__store=customer.store_id, switched_on_at__isnull=False, starts_at__lte=now
        )
        .select_related("program__store")
        .order_by("program")
    ):
        schemes.setdefault(row.program, []).append(row)
    if not schemes:
        return []
    of_person = TierGrant.objects.filter(_of_people([customer.pk]))
    grants = list(of_person.select_related("given_by"))
    found = []
    for program, rows in schemes.items():
        mine = {each.pk: each for each in grants if each.program_id == program.pk}
        climb = _climb(program, customer, _ladder(program, rows, mine.values()))
        standing = climb.at(now)
        given = mine[standing.gift.id] if standing.gift else None
        found.append(Held(program, standing, given, climb.changes_at(now)))
    return found


def judge(program: Program, customer: Customer, ladder: Ladder | None) -> Standing | None:
    """Keep the customer's tier as it is now, and note it when it became another one.

    To be called under the customer's lock, with their earnings in line. Safe to repeat.
    """
    now = timezone.now()
    if ladder is None:
        return None
    climb = _climb(program, customer, ladder)
    standing = climb.at(now)
    row = TierStanding.objects.filter(customer=customer, program=program).first()
    before = row.tier if row else ""
    if row is None:
        row = TierStanding(customer=customer, program=program, since=now)
    if standing.name != before:
        row.since = now
        change = TierChange.objects.create(
            customer=customer,
            program=program,
            before=before,
            after=standing.name,
            cause=standing.because.value,
            counted=standing.counted,
            scheme_id=standing.scheme.id if standing.scheme else None,
            grant_id=standing.gift.id if standing.gift else None,
            at=now,
        )
        if _is_promotion(standing, before):
            notifications.announce_tier(program, customer, change)
    row.tier, row.cause, row.counted = standing.name, standing.because.value, standing.counted
    row.judged_at, row.review_at = now, climb.changes_at(now)
    row.save()
    return standing


def _is_promotion(standing: Standing, before: str) -> bool:
    """Whether the tier is higher than the one before; one that is gone from the scheme is none."""
    if standing.tier is None:
        return False
    known = standing.scheme.named(before) if standing.scheme else None
    return known is None or known.threshold < standing.tier.threshold


def grant(
    program: Program,
    customer: Customer,
    *,
    tier: str,
    until: datetime.datetime | None,
    reason: str,
    by: User,
    request_id: str,
) -> TierGrant:
    """Give a customer a tier from now until an instant, or with no tier end what was given.

    It raises what the customer has by buying and never lowers it. Repeated, it answers with the
    first grant. Raises `ValueError` for a tier that there is not, an end that is past or missing,
    and without a reason; nothing changes then.
    """
    with atomic():
        Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        known = TierGrant.objects.filter(request_id=request_id).first()
        if known:
            return known
        now = timezone.now()
        if problem := _problem(program, tier, until, reason, now):
            raise ValueError(problem)
        made = TierGrant.objects.create(
            customer=customer,
            program=program,
            tier=tier,
            until=until,
            reason=reason.strip()[:_LONGEST_REASON],
            given_by=by,
            request_id=request_id,
            given_at=now,
        )
        # Clocks differ: an order that was paid in our future may be judged already.
        ShopOrder.objects.filter(customer=customer, paid_at__gte=now).update(due_at=now)
        judge(program, customer, ladder_of(program, customer))
    return made


def _problem(
    program: Program,
    tier: str,
    until: datetime.datetime | None,
    reason: str,
    now: datetime.datetime,
) -> str:
    if tier and tier not in tiers_of(program):
        return "The program has no such tier now."
    if bool(tier) != (until is not None) or (until is not None and until <= now):
        return "A tier is granted until an instant to come."
    return "" if reason.strip() else "A tier is granted for a reason."


def tiers_of(program: Program) -> list[str]:
    """The names of the tiers that the program has now, lowest first."""
    now = timezone.now()
    row = (
        TierScheme.objects.filter(program=program, switched_on_at__isnull=False, starts_at__lte=now)
        .order_by("-starts_at", "-pk")
        .first()
    )
    tiers = sorted(row.tiers, key=lambda tier: int(tier["threshold"])) if row else []
    return [tier["name"] for tier in tiers]


def switch_on_scheme(scheme: TierScheme) -> TierScheme:
    """Let a scheme hold from its beginning on, as it is now, for good; safe to repeat.

    Raises `ValueError` for one that begins in the past, and would judge orders again, or that has
    no tiers.
    """
    with atomic():
        row = TierScheme.objects.select_for_update().get(pk=scheme.pk)
        if not row.is_on:
            if row.starts_at <= timezone.now() or not row.tiers:
                msg = "A scheme has tiers, and begins in the future."
                raise ValueError(msg)
            row.switched_on_at = timezone.now()
            row.save(update_fields=["switched_on_at"])
    return row


def begin_review() -> Job | dict[str, int]:
    """The job that reviews the tiers that time alone changes, or no customers when there is none.

    What the clock changes is found by the hour, so soon after each store's midnight.
    """
    if not any(True for _each in _due(limit=1)):
        return {"customers": 0}
    return jobs.again(JobKind.REVIEW_TIERS)


def review_chunk(job: Job) -> bool:
    """Review the next customers; True while more may be due. Safe to repeat, beside orders too."""
    pairs = list(_due(limit=CHUNK))
    for program, customer_id in pairs:
        with atomic():
            customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
            judge(program, customer, ladder_of(program, customer))
    job.done += len(pairs)
    job.total = max(job.total, job.done)
    job.counts = {"customers": job.done}
    return bool(pairs)


def _due(*, limit: int) -> Iterator[tuple[Program, int]]:
    """Customers whose tier has to be looked at again, by program: time has come, or a scheme."""
    now = timezone.now()
    programs = (
        Program.objects.filter(
            earning_policy__isnull=False,
            tier_schemes__switched_on_at__isnull=False,
            tier_schemes__starts_at__lte=now,
        )
        .annotate(latest_start=Max("tier_schemes__starts_at"))
        .select_related("store")
        .order_by("pk")
    )
    for program in programs:
        due = Q(review_at__lte=now) | Q(judged_at__lt=program.latest_start)
        known = TierStanding.objects.filter(due, program=program).order_by("pk")
        found = list(known.values_list("customer", flat=True)[:limit])
        if len(found) < limit:
            found += _unknown(program)[: limit - len(found)]
        yield from ((program, customer) for customer in found)
        limit -= len(found)
        if limit <= 0:
            return


def _unknown(program: Program) -> QuerySet[Customer, int]:
    """Who has bought something, and was never judged: before the first scheme began."""
    return (
        Customer.objects.filter(store=program.store_id, shop_orders__paid_at__isnull=False)
        .exclude(tier_standings__program=program)
        .order_by("pk")
        .values_list("pk", flat=True)
        .distinct()
    )
