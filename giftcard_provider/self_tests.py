"""Self-tests of a store: the protocol's self-check against its address, and what came of it.

A worker runs them: a web process that called itself might wait for itself.
"""

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.transaction import atomic
from django.utils import timezone

from giftcard_provider import self_check
from giftcard_provider.models import Credential, SelfTest
from giftcard_provider.self_check import Target
from loyalty import codes
from loyalty.models import GiftCard, Job, JobKind, Store

# Less than the lease of a job: two at the same card would take each other's balance for a fault.
SECONDS = 60
_CREDENTIAL = "credential"


def card_named(store: Store, typed: str) -> GiftCard | None:
    """The store's card of this id or code, typed as at checkout."""
    digests = codes.typed_digests(typed)
    found = GiftCard.objects.filter(Q(public_id=typed.strip()) | Q(code_digest__in=digests))
    return found.filter(store=store).first()


def start(
    store: Store, *, service_url: str, card: GiftCard, requested_by: User | None = None
) -> SelfTest:
    """Let a worker do it within seconds."""
    with atomic():
        job = Job.objects.create(
            kind=JobKind.SELF_TEST, total=len(self_check.CHECKS), requested_by=requested_by
        )
        test = SelfTest.objects.create(
            store=store, service_url=service_url, card=card, requested_by=requested_by, job=job
        )
        job.parameters = {"test": test.pk}
        job.save(update_fields=["parameters"])
    return test


def run_job(job: Job) -> bool:
    """The worker's only chunk. A worker that died left a credential whose token nobody has."""
    test = SelfTest.objects.select_related("store", "card__owner").get(pk=job.parameters["test"])
    _revoke(job)
    if test.status != SelfTest.Status.WAITING:
        return False
    credential, token = Credential.objects.issue(test.store)
    job.parameters[_CREDENTIAL] = credential.pk
    job.save(update_fields=["parameters"])
    try:
        report = self_check.check_provider(_target(test, credential, token), seconds=SECONDS)
    finally:
        _revoke(job)
    test.report = report.as_data()
    test.status = SelfTest.Status.PASSED if report.is_passed else SelfTest.Status.FAILED
    test.finished_at = timezone.now()
    test.save(update_fields=["report", "status", "finished_at"])
    job.done, job.failed = job.total, report.count(self_check.Verdict.FAILED)
    return False


def _revoke(job: Job) -> None:
    Credential.objects.filter(pk=job.parameters.get(_CREDENTIAL)).update(is_active=False)


def _target(test: SelfTest, credential: Credential, token: str) -> Target:
    owner = test.card.owner
    return Target(
        url=test.service_url,
        app_key=credential.app_key,
        app_token=token,
        card_id=test.card.public_id,
        code=test.card.code,
        email=owner.email if owner else "",
        document=owner.document if owner else "",
    )
