"""Periodic work as it runs: a real broker, real workers, and what may happen to either."""

import datetime
from collections.abc import Iterator

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db.models import Count, Sum
from django.utils import timezone

from config.celery import app
from config.embedded import Valkey
from loyalty import batches, ledger
from loyalty.identity import Identity
from loyalty.ledger.invariants import violations
from loyalty.models import (
    Balance,
    Batch,
    ChainLink,
    GiftCard,
    Job,
    JobKind,
    Operation,
    PeriodicWork,
    Proof,
    Transaction,
)
from loyalty.schedule import EXPIRE_CREDIT, PERIODIC
from tests.builders import make_customer, make_hold, make_program
from tests.config.processes import eventually
from tests.loyalty.conftest import Start, kill
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db(transaction=True)

COUNT, AMOUNT = 4000, 2500
HOLDS, HELD = 3, 1000
CREDITS = 300
RUN_JOBS = "loyalty.tasks.run_jobs"


@pytest.fixture
def cards() -> list[GiftCard]:
    """Cards whose credit ended a moment ago; something of some of them is held."""
    now = timezone.now()
    day = datetime.timedelta(days=1)
    program = make_program()
    wanted = [ledger.NewCard(AMOUNT, expires_at=now - day / 24)] * 1000
    with time_machine.travel(now - day, tick=False):
        made = [
            card
            for _ in range(COUNT // 1000)
            for card in ledger.issue_many(program, wanted, actor="test")
        ]
        for card in made[:HOLDS]:
            make_hold(card, HELD)
    return made


def expiry() -> Job:
    return Job.objects.get(kind=JobKind.EXPIRE)


def is_expired() -> bool:
    return Job.objects.filter(kind=JobKind.EXPIRE, status=Job.Status.DONE).exists()


def check_expired(cards: list[GiftCard]) -> None:
    """Every card's credit once, to the unit, without what is held; and the books are right."""
    keys = [card.pk for card in cards]
    sums = Balance.objects.filter(card__in=keys).aggregate(
        expired=Sum("expired"), held=Sum("held"), available=Sum("available")
    )
    booked = Operation.objects.filter(kind="expire", card__in=keys).aggregate(
        times=Count("pk"), cards=Count("card", distinct=True)
    )
    held = HOLDS * HELD
    assert sums == {"expired": COUNT * AMOUNT - held, "held": held, "available": 0}
    assert booked == {"times": COUNT, "cards": COUNT}
    assert violations() == []


def test_a_worker_killed_in_the_middle_of_the_expiry_loses_and_doubles_nothing(
    cards: list[GiftCard], start_worker: Start
) -> None:
    first = start_worker()
    app.send_task(EXPIRE_CREDIT.task)
    assert eventually(lambda: Job.objects.filter(kind=JobKind.EXPIRE).exists(), within=60)
    app.send_task(RUN_JOBS)
    assert eventually(lambda: expiry().done > 0, within=60)

    kill(first)

    left = expiry()
    assert left.status == Job.Status.RUNNING
    assert left.done < COUNT
    # The lease of the dead worker runs out, two minutes later.
    Job.objects.filter(pk=left.pk).update(leased_until=timezone.now())
    start_worker()
    app.send_task(RUN_JOBS)
    assert eventually(is_expired, within=60)
    check_expired(cards)


def test_a_worker_killed_in_the_middle_of_many_credits_gives_each_once(
    start_worker: Start,
) -> None:
    program = make_program(relation_name="loyalty-program", is_reloadable=True)
    people = [make_customer(program.store) for _ in range(CREDITS)]
    wanted = batches.survey(program, [(each.pk, AMOUNT) for each in people], own=Identity())
    plan = batches.Plan(
        program=program, name="Sorry", source=Batch.Source.CREDIT, recipients=list(wanted)
    )
    maker: User = make_staff("add_batch")
    batch = batches.draft(plan, created_by=maker)
    job = batches.start(batch, requested_by=maker)
    first = start_worker()
    app.send_task(RUN_JOBS)
    assert eventually(lambda: batch.owners.filter(credit__isnull=False).exists(), within=60)

    kill(first)

    assert 0 < batch.owners.filter(credit__isnull=False).count() < CREDITS
    Job.objects.filter(pk=job.pk).update(leased_until=timezone.now())
    start_worker()
    app.send_task(RUN_JOBS)
    done = Job.objects.filter(pk=job.pk, status=Job.Status.DONE)
    assert eventually(done.exists, within=60)
    given = Balance.objects.filter(card__owner__in=people).values_list("credited", flat=True)
    assert list(given) == [AMOUNT] * CREDITS
    assert Transaction.objects.count() == CREDITS
    assert violations() == []


@pytest.fixture
def broker() -> Iterator[Valkey]:
    """A broker of its own, which nobody misses when it goes."""
    with Valkey() as server:
        yield server


def test_a_broker_that_is_gone_and_comes_back_empty_loses_and_doubles_nothing(
    cards: list[GiftCard], start_worker: Start, broker: Valkey
) -> None:
    def send(task: str) -> None:
        with app.connection_for_write(broker.url) as connection:
            app.send_task(task, connection=connection)

    worker = start_worker(REDIS_URL=broker.url)
    send(EXPIRE_CREDIT.task)
    send(RUN_JOBS)
    assert eventually(lambda: Job.objects.filter(kind=JobKind.EXPIRE).exists(), within=60)

    broker.stop()

    left = expiry().status
    broker.start()  # it keeps nothing on disk

    # What beat does every few seconds; the worker finds the broker again by itself.
    def ticks_until_it_is_over() -> bool:
        send(RUN_JOBS)
        return is_expired()

    assert eventually(ticks_until_it_is_over, within=90)
    assert worker.poll() is None
    assert left != Job.Status.DONE
    check_expired(cards)


def test_everything_delivered_three_times_at_once_is_done_once(
    cards: list[GiftCard], start_worker: Start
) -> None:
    maker: User = make_staff("add_batch")
    plan = batches.Plan(program=make_program(), name="Natal", amount=AMOUNT, count=1500)
    batch = batches.draft(plan, created_by=maker)
    batches.start(batch, requested_by=maker)
    for work in PERIODIC.values():
        for _ in range(3):
            app.send_task(work.task)

    start_worker()
    start_worker()

    def is_over() -> bool:
        app.send_task(RUN_JOBS)
        app.send_task(RUN_JOBS)
        done = PeriodicWork.objects.filter(succeeded_at__isnull=False).count()
        return done == len(PERIODIC) and not Job.objects.exclude(status=Job.Status.DONE).exists()

    assert eventually(is_over, within=120)
    check_expired(cards)
    assert expiry().counts == {"cards": COUNT, "refused": 0}
    records = PeriodicWork.objects.values_list("name", "attempts", "error")
    assert sorted(records) == [(name, 1, "") for name in sorted(PERIODIC)]
    assert batch.cards.count() == 1500
    assert batch.cards.aggregate(sum=Sum("balance__credited")) == {"sum": 1500 * AMOUNT}
    assert Batch.objects.get(pk=batch.pk).status == Batch.Status.ISSUED
    assert sorted(Proof.objects.values_list("scope", "differences")) == [
        ("changes", 0),
        ("everything", 0),
    ]
    forks = ChainLink.objects.values("card", "key_id", "after").annotate(n=Count("pk"))
    assert not forks.filter(n__gt=1).exists()
