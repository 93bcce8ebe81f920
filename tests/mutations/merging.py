"""The rules of merging customers and of other point values, each broken in one place."""

from tests.mutations.ledger import BOOKS, VERBS, broken

MERGING = "loyalty/ledger/merging.py"
TRANSFERS = "loyalty/ledger/transfers.py"
REVALUING = "loyalty/ledger/revaluing.py"
ENGINE = "loyalty/earning/engine.py"
LOTS = "loyalty/earning/lots.py"
MERGES = f"{VERBS}/test_merge.py {VERBS}/test_unmerge.py"
EARNED = "tests/loyalty/earning/test_merging.py"
VALUES = "tests/loyalty/earning/test_point_values.py"

TOGETHER = [
    *broken(
        MERGING,
        f"{MERGES} {BOOKS}",
        {
            "two people with different documents become one": (
                "    if contradictions(customer, into):\n        raise IdentitiesDiffer\n",
                "",
            ),
            "who was merged is merged again": (
                (
                    "    if customer.merged_into_id or into.merged_into_id:\n"
                    "        raise AlreadyMerged\n"
                ),
                "",
            ),
            "money leaves a blocked wallet": (
                (
                    "    if source.is_blocked or target.is_blocked:\n        raise WalletBlocked\n"
                    "    if is_being_revalued(source):\n        raise PointValueUnderWay\n"
                    "    hand_over("
                ),
                (
                    "    if is_being_revalued(source):\n        raise PointValueUnderWay\n"
                    "    hand_over("
                ),
            ),
            "a merge that is refused is kept in part": (
                "        set_rollback(True)\n",
                "",
            ),
            "orders stay with whoever was merged away": (
                ".update(customer=receiver, due_at=now)",
                ".update(due_at=now)",
            ),
            "the id of an undoing serves for another": (
                (
                    "    if CustomerMerge.objects.filter("
                    "undo_request_id=asked.request_id).exists():\n"
                    "        raise RequestConflict\n"
                ),
                "",
            ),
            "whoever is parted is still found by the other's document": (
                "    for each in (customer, into):\n        _tell_anew(each)\n",
                "",
            ),
        },
    ),
    *broken(
        MERGING,
        f"{VERBS}/test_merge_races.py",
        {
            "a card that is given meanwhile stays behind": (
                "        raise _CardsCame\n",
                "        pass\n",
            ),
            "two merges of one customer happen at once": (
                "Customer.objects.select_for_update().filter(pk__in=people)",
                "Customer.objects.filter(pk__in=people)",
            ),
        },
    ),
    *broken(
        MERGING,
        f"{VERBS}/test_merge_and_point_value.py {BOOKS}",
        {
            "what was adjusted is thought to be untouched": (
                "        if _is_revalued_since(received):\n            raise MergeTouched\n",
                "",
            ),
        },
    ),
    *broken(
        MERGING,
        EARNED,
        {
            "points of since stay with the other one": (
                "    _check_earned(made)\n    made.undone_at",
                "    made.undone_at",
            ),
            "a merge is undone while a credit is on its way": (
                (
                    "    if planned.filter(earning__order__customer__in=both).exists():\n"
                    "        raise LedgerBusy\n"
                ),
                "",
            ),
        },
    ),
    *broken(
        TRANSFERS,
        f"{MERGES} {VERBS}/test_merge_and_point_value.py {BOOKS}",
        {
            "an undoing does not look whether it was used": (
                (
                    "    if any(left.get(grant.pk) != grant.amount for grant in grants):\n"
                    "        return False\n"
                ),
                "",
            ),
            "more arrives than was sent": (
                "_as_it_is(grants[lot.id], share, source)",
                "_as_it_is(grants[lot.id], grants[lot.id].amount, source)",
            ),
            "what arrives does not say who sent it": (
                "        asked.request(TRANSFER, amount, counterpart_id=sent.pk),\n        [\n",
                "        asked.request(TRANSFER, amount),\n        [\n",
            ),
            "a grant forgets where it came from": ("        came_from=grant.pk,\n", ""),
            "what has ended goes along": (
                "        if lot.remaining and not lot.is_expired_at(now)\n",
                "        if lot.remaining\n",
            ),
            "credit is brought home from one card only": (
                "        generation = list(Grant.objects",
                "        return found\n        generation = list(Grant.objects",
            ),
        },
    ),
    *broken(
        REVALUING,
        f"{VERBS}/test_revalue.py {BOOKS}",
        {
            "each grant is rounded for itself": (
                "kept = old * after // before - new",
                "kept = lot.remaining * after // before",
            ),
            "a card is adjusted twice": (
                "        if position.prior:\n",
                "        if not position:\n",
            ),
            "what was given since is adjusted too": ("if lot.id in given and not", "if not"),
            "what has ended is adjusted": (
                "if lot.id in given and not lot.is_expired_at(now)]",
                "if lot.id in given]",
            ),
        },
    ),
    *broken(
        ENGINE,
        VALUES,
        {
            "a cap is filled in money": (
                "        used = run.used.get(key, 0) * rule.unit\n",
                "        used = run.used.get(key, 0) * 25\n",
            ),
        },
    ),
    *broken(
        LOTS,
        VALUES,
        {
            "what paid another order's debt counts as expired": (
                "        ~Exists(taken), card",
                "        card",
            ),
        },
    ),
]
