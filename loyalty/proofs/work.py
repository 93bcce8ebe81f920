"""The proof, chunk by chunk: one snapshot a chunk, then what it found in a transaction of its own.

Every promise of the books is about one card, or a sum over cards that holds where it holds for each
part (I10). So a chunk that is read from one snapshot proves its cards as of that instant, and a
proof needs no snapshot of everything, which would have to stay open for as long as the proof takes
and hold back the database's cleaning.

What changed is found by the operations since the last full proof, each of which changed its card;
the search begins an hour before that proof did, longer than any transaction lasts. Whatever was
changed without an operation is found by the weekly proof of everything.
"""

import datetime
import hmac
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import Max, QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import codes
from loyalty.ledger.invariants import MAX_ROWS, one_snapshot, violations
from loyalty.models import ChainLink, GiftCard, Job, JobKind, Operation, Proof, ProofDifference
from loyalty.proofs import chain

CARDS, OPERATIONS = 1000, 2000  # of one chunk
LONGEST = datetime.timedelta(hours=1)  # no transaction lasts so long
CHAIN, LINKS = "chain", "links"

Scope = Proof.Scope

log = logging.getLogger(__name__)


class _Finding(NamedTuple):
    """A promise that is broken, on a card or as a whole."""

    check: str
    card_id: int | None
    figures: str


def prove_chunk(job: Job) -> bool:
    """Prove the next cards; True while more are left. Done twice it keeps nothing twice."""
    if "proof" not in job.parameters:
        _set_out(job)
    proof = Proof.objects.get(pk=job.parameters["proof"])
    cards, is_last = _everything(job) if proof.scope == Scope.EVERYTHING else _changes(job)
    if cards:
        findings, links = _look(cards)
        _keep(proof, cards, findings, links)
        counts = Counter(job.counts)
        counts.update(cards=len(cards), links=len(links), differences=len(findings))
        job.counts = dict(counts)
    if not is_last:
        return True
    _finish(job, proof)
    return False


def open_differences() -> QuerySet[ProofDifference]:
    """What is wrong with the books, as far as proofs have seen; none is as it should be."""
    return ProofDifference.objects.filter(gone_at=None)


def _set_out(job: Job) -> None:
    scope = Scope.EVERYTHING if job.kind == JobKind.PROVE_ALL else Scope.CHANGES
    proof = Proof.objects.create(scope=scope, started_at=timezone.now())
    upto = Operation.objects.aggregate(last=Max("pk"))["last"] or 0
    after = 0 if scope == Scope.EVERYTHING else _after_last_full()
    job.parameters |= {"proof": proof.pk, "after": after, "upto": upto}
    job.counts = {"cards": 0, "links": 0, "differences": 0}
    job.total = GiftCard.objects.count() if scope == Scope.EVERYTHING else max(upto - after, 0)
    if wrong := _wrong_with_links():
        _keep(proof, [], [_Finding(LINKS, None, wrong)], [])
        job.counts["differences"] = 1


def _after_last_full() -> int:
    """The last operation before the last full proof; 0 before there was one."""
    full = Proof.objects.filter(scope=Scope.EVERYTHING, finished_at__isnull=False).first()
    if full is None:
        return 0
    # Backwards from the newest: by the primary key, until one is old enough.
    before = Operation.objects.filter(created_at__lt=full.started_at - LONGEST).order_by("-pk")
    return before.values_list("pk", flat=True).first() or 0


def _everything(job: Job) -> tuple[list[int], bool]:
    """The next cards of all."""
    after = job.parameters["after"]
    cards = list(
        GiftCard.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CARDS]
    )
    job.done += len(cards)
    job.total = max(job.total, job.done)
    job.parameters["after"] = cards[-1] if cards else after
    return cards, len(cards) < CARDS


def _changes(job: Job) -> tuple[list[int], bool]:
    """The cards of the next operations, each at the last of its operations: once in a proof."""
    after, upto = job.parameters["after"], job.parameters["upto"]
    rows = list(
        Operation.objects.filter(pk__gt=after, pk__lte=upto)
        .order_by("pk")
        .values_list("pk", "card_id")[:OPERATIONS]
    )
    if not rows:
        job.done = job.total
        return [], True
    last = rows[-1][0]
    cards = {card_id for _, card_id in rows}
    later = Operation.objects.filter(card_id__in=cards, pk__gt=last, pk__lte=upto)
    cards -= set(later.values_list("card_id", flat=True).distinct())
    job.done = min(job.done + last - after, job.total)
    job.parameters["after"] = last
    return sorted(cards), False


def _look(cards: Sequence[int]) -> tuple[list[_Finding], list[ChainLink]]:
    with one_snapshot():
        with connection.cursor() as cursor:
            # Sixteen queries of some thousand rows each: compiling them would take the longest.
            cursor.execute("SET LOCAL jit = off")
        broken = violations(cards)
        followed = chain.follow(cards)
    findings = [
        _Finding(each.invariant.name, _card_of(each.row.get("card_id")), each.figures)
        for each in broken
    ]
    findings += (_Finding(CHAIN, each.card_id, each.figures) for each in followed.breaks)
    return findings, followed.links


def _card_of(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _keep(
    proof: Proof, cards: Sequence[int], findings: Iterable[_Finding], links: Sequence[ChainLink]
) -> None:
    now = timezone.now()
    # The first of each promise and card says enough.
    found = {(each.check, each.card_id): each for each in reversed(list(findings))}
    for each in found.values():
        log.critical("The books are wrong: %s: %s", each.check, each.figures)
    with atomic():
        ChainLink.objects.bulk_create(links, ignore_conflicts=True)
        known = {(each.check_name, each.card_id): each for each in _open_on(cards, found)}
        again = [row.pk for key, row in known.items() if key in found]
        ProofDifference.objects.filter(pk__in=again).update(last_seen=now)
        ProofDifference.objects.bulk_create(
            [
                ProofDifference(
                    proof=proof,
                    check_name=each.check,
                    card_id=each.card_id,
                    figures=each.figures,
                    first_seen=now,
                    last_seen=now,
                )
                for key, each in found.items()
                if key not in known
            ],
            ignore_conflicts=True,
        )
        # Of a promise that is broken more often than is shown, nobody knows what is gone.
        often = Counter(check for check, _ in found)
        gone = [
            row.pk
            for (check, card_id), row in known.items()
            if (check, card_id) not in found and card_id is not None and often[check] < MAX_ROWS
        ]
        ProofDifference.objects.filter(pk__in=gone).update(gone_at=now)


def _open_on(
    cards: Sequence[int], found: Iterable[tuple[str, int | None]]
) -> Iterator[ProofDifference]:
    yield from open_differences().filter(card_id__in=cards)
    if any(card_id is None for _, card_id in found):
        yield from open_differences().filter(card_id=None)


def _finish(job: Job, proof: Proof) -> None:
    if proof.scope == Scope.EVERYTHING:
        # Of no card in particular: a whole proof did not meet it again.
        gone = open_differences().filter(card=None, last_seen__lt=proof.started_at)
        gone.update(gone_at=timezone.now())
    links = ChainLink.objects.count()
    Proof.objects.filter(pk=proof.pk, finished_at=None).update(
        finished_at=timezone.now(),
        cards=job.counts["cards"],
        differences=job.counts["differences"],
        links=links,
        seal=_seal(proof.pk, links, codes.chain_keys()[0][1]),
    )
    # Outside of the database too: whoever restores an older one cannot take this line back.
    log.info("Proof %s: %s, and %s links in all.", proof.pk, job.counts, links)


def _wrong_with_links() -> str:
    """What is wrong with the number of links that the last proof left, in words; "" for nothing."""
    last = Proof.objects.filter(finished_at__isnull=False).first()
    if last is None or last.links is None or last.seal is None:
        return ""
    seals = [_seal(last.pk, last.links, key) for _, key in codes.chain_keys()]
    if not any(hmac.compare_digest(seal, bytes(last.seal)) for seal in seals):
        return "the seal of the last proof is not ours"
    missing = last.links - ChainLink.objects.count()
    return f"{missing} links of the chains are gone" if missing > 0 else ""


def _seal(proof_id: int, links: int, key: bytes) -> bytes:
    return hmac.digest(key, f"proof {proof_id}: {links}".encode(), "sha256")
