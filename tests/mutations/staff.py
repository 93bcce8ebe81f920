"""The rules of what staff ask the ledger for, each broken in one place: issue, extend, reverse."""

from tests.mutations.ledger import BOOKS, POSTING, RACES, STATES, VERBS, broken

ISSUANCE = "loyalty/ledger/issuance.py"
REVERSALS = "loyalty/ledger/reversals.py"
ISSUES = f"{VERBS}/test_issue.py {VERBS}/test_issue_many.py"

STAFF = [
    *broken(
        ISSUANCE,
        f"{ISSUES} {RACES}",
        {
            "a reloadable card ends with its first credit": (
                "card.expires_at = wanted.expires_at if card.is_reloadable else end",
                "card.expires_at = end",
            ),
            "which code was known is not told": (
                "    if taken:\n        raise DuplicateCode(*sorted(taken))\n",
                "",
            ),
            "codes issued together are not compared": (
                (
                    "            if stored.get(digest, position) != position:\n"
                    "                taken.add(position)\n"
                ),
                "",
            ),
            "a card is issued to a customer of another store": (
                "if owner and (owner.store_id != program.store_id or owner.is_nobody):",
                "if owner and owner.is_nobody:",
            ),
            "a card is issued to a customer who was erased": (
                "if owner and (owner.store_id != program.store_id or owner.is_nobody):",
                "if owner and owner.store_id != program.store_id:",
            ),
            "an id of another amount is the same request": (
                "if (known.program_id, first.amount) != (program.pk, wanted.amount):",
                "if known.program_id != program.pk:",
            ),
            "two clicks on one issue are a conflict": (
                (
                    "        if known := _issued_before(program, wanted):\n"
                    "            return known\n        raise\n"
                ),
                "        raise\n",
            ),
        },
    ),
    *broken(
        POSTING,
        ISSUES,
        {
            "a card issued with nothing has an entry": (
                "CASE WHEN amount > 0 THEN 1 ELSE 0 END",
                "1",
            ),
        },
    ),
    *broken(
        STATES,
        f"{VERBS}/test_extend.py {BOOKS}",
        {
            "what came back from expiry once comes back again": (
                (
                    '            net=Coalesce(Sum("amount", filter=Q(target=Bucket.EXPIRED)), 0)\n'
                    '            - Coalesce(Sum("amount", filter=Q(source=Bucket.EXPIRED)), 0)\n'
                ),
                '            net=Coalesce(Sum("amount", filter=Q(target=Bucket.EXPIRED)), 0)\n',
            ),
            "what expired stays expired in an extended grant": (
                "    return {grant_id: net for grant_id, net in booked if net}\n",
                "    return dict(booked[:0])\n",
            ),
            "an extension brings the end of credit forward": (
                "if any(known is None or (end is not None and end <= known) for known in ends):",
                "if any(known is None for known in ends):",
            ),
            "an extension gives an end to credit that has none": (
                "if any(known is None or (end is not None and end <= known) for known in ends):",
                "if any(known and end and end <= known for known in ends):",
            ),
            "credit is extended into the past": (
                " or (end is not None and end <= now):\n",
                ":\n",
            ),
            "grants of another card are extended": (
                "Grant.objects.filter(card_id=card_id, pk__in=named)",
                "Grant.objects.filter(pk__in=named)",
            ),
            "extended credit outlives its card": (
                'card_changes={"expires_at": expires_at} if outlives_card else None,',
                "card_changes=None,",
            ),
            "an extension brings the end of a card forward": (
                "            expires_at is None or position.expires_at < expires_at\n",
                "            True\n",
            ),
            "a closed card is extended": (
                (
                    "            if position.is_closed:\n                raise CardClosed\n"
                    "        outlives_card"
                ),
                "            pass\n        outlives_card",
            ),
        },
    ),
    *broken(
        STATES,
        f"{VERBS}/test_change_owner.py {BOOKS}",
        {
            "a card goes to a customer of another store": (
                "pk=customer.pk, store__cards=card_id, erased_at__isnull=True",
                "pk=customer.pk, erased_at__isnull=True",
            ),
            "a card goes to a customer who was erased": (
                "pk=customer.pk, store__cards=card_id, erased_at__isnull=True",
                "pk=customer.pk, store__cards=card_id",
            ),
            "a closed card changes hands": (
                (
                    "                if position.is_closed:\n                    raise CardClosed\n"
                    "            return post(\n"
                ),
                "                pass\n            return post(\n",
            ),
        },
    ),
    *broken(
        REVERSALS,
        f"{VERBS}/test_reverse.py {BOOKS} {RACES}",
        {
            "an adjustment is reversed as often as asked for": (
                "            if _is_reversed(adjustment):\n                raise AlreadyReversed\n",
                "",
            ),
            "an adjustment is reversed out of credit of another funding": (
                "same = [lot for lot in position.lots if lot.funding == own.funding]",
                "same = list(position.lots)",
            ),
            "an adjustment is reversed out of other credit first": (
                "key=lambda lot: (lot.id != own.pk, lot.turn)",
                "key=lambda lot: (lot.id == own.pk, lot.turn)",
            ),
            "an adjustment that was spent is reversed in part": (
                (
                    "    if position.is_closed"
                    " or request.amount > sum(lot.remaining for lot in lots):\n"
                ),
                "    if position.is_closed or not lots:\n",
            ),
            "a closed card loses an adjustment twice": (
                "    if position.is_closed or request.amount >",
                "    if request.amount >",
            ),
            "what was taken comes back to a closed card": (
                "    if position.is_closed:\n        raise CardClosed\n",
                "",
            ),
            "what was declined is reversed": (
                "        outcome=Outcome.OK,\n    ).first()\n",
                "    ).first()\n",
            ),
            "a credit is reversed as an adjustment": (
                "        kind=Operation.Kind.ADJUST,\n",
                "",
            ),
            "the id of a reversal serves for another": (
                "    if prior.reverses_id != operation.pk:\n",
                "    if not prior.reverses_id:\n",
            ),
        },
    ),
]
