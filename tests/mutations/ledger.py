"""The ledger's rules, each broken in one place."""

from tests.mutations.mutation import Mutation

VERBS = "tests/loyalty/ledger"
RACES = f"{VERBS}/test_concurrency.py"
BOOKS = f"{VERBS}/test_invariants.py {VERBS}/test_properties.py"
DEBITS = f"{VERBS}/test_authorize.py {VERBS}/test_grants.py"
CANCELS = f"{VERBS}/test_cancel.py {VERBS}/test_grants.py"
AGAIN = f"{VERBS}/test_idempotency.py {VERBS}/test_recall.py"

POSITION = "loyalty/ledger/position.py"
POSTING = "loyalty/ledger/posting.py"
DURABILITY = "loyalty/ledger/durability.py"
PURCHASES = "loyalty/ledger/purchases.py"
CREDITS = "loyalty/ledger/credits.py"
STATES = "loyalty/ledger/states.py"
IDEMPOTENCY = "loyalty/ledger/idempotency.py"


def broken(file: str, tests: str, rules: dict[str, tuple[str, str]]) -> list[Mutation]:
    """Mutations of one file that the same tests should notice."""
    return [Mutation(name, file, before, after, tests) for name, (before, after) in rules.items()]


LEDGER = [
    *broken(
        POSITION,
        RACES,
        {
            "the card is not locked": (" FOR NO KEY UPDATE;", ";"),
            "the lock stops foreign keys": (" FOR NO KEY UPDATE;", " FOR UPDATE;"),
            "the card is read before it is locked": (
                "def _read(statement: str, parameters: dict[str, Any]) -> Position:\n",
                """
def _read(statement: str, parameters: dict[str, Any]) -> Position:
    from django.db import connection

    *locks, read = statement.split(";")
    position = _read_unlocked(read, parameters)
    with connection.cursor() as cursor:
        for lock in locks:
            cursor.execute(lock, parameters)
    return position


def _read_unlocked(statement: str, parameters: dict[str, Any]) -> Position:
""",
            ),
            "a debit and a credit may share a request id": (
                "PURCHASE_KINDS if kind in PURCHASE_KINDS else (kind,)",
                "(kind,)",
            ),
        },
    ),
    *broken(
        POSITION,
        f"{VERBS}/test_settle.py {VERBS}/test_cancel.py {AGAIN} {BOOKS}",
        {
            "a step with another value is a repetition": (
                "       AND operation.amount = %(amount)s)\n",
                "     ORDER BY operation.id LIMIT 1)\n",
            ),
            "a step is found by its id on any transaction": (
                " AND operation.transaction_id = %(transaction)s\n",
                "\n",
            ),
            "a transaction is found through another card": (
                "ON txn.id = %(transaction)s AND txn.card_id = balance.card_id",
                "ON txn.id = %(transaction)s",
            ),
        },
    ),
    *broken(
        POSITION,
        f"{DEBITS} {VERBS}/test_expire.py {BOOKS}",
        {
            "expired credit is spent": (
                "self.valid_from <= instant and not self.is_expired_at(instant)",
                "self.valid_from <= instant",
            ),
            "credit is spent before its time": (
                "self.valid_from <= instant and not self.is_expired_at(instant)",
                "not self.is_expired_at(instant)",
            ),
            "credit lives an instant longer": (
                (
                    'has passed, booked or not."""\n'
                    "        return self.expires_at is not None and self.expires_at <= instant"
                ),
                (
                    'has passed, booked or not."""\n'
                    "        return self.expires_at is not None and self.expires_at < instant"
                ),
            ),
            "a card lives an instant longer": (
                (
                    'the card\'s last instant has passed."""\n'
                    "        return self.expires_at is not None and self.expires_at <= instant"
                ),
                (
                    'the card\'s last instant has passed."""\n'
                    "        return self.expires_at is not None and self.expires_at < instant"
                ),
            ),
            "credit that never expires is spent first": ("self.expires_at or _FAR,", "_FAR,"),
            "paid credit is spent before promotional": (
                "self.funding == Funding.PAID",
                "self.funding != Funding.PAID",
            ),
            "a canceled purchase uses up a single-use card": (
                "          AND purchase.released + purchase.refunded < purchase.amount))\n",
                "    ))\n",
            ),
        },
    ),
    *broken(
        PURCHASES,
        f"{DEBITS} {AGAIN} {BOOKS}",
        {
            "the latest expiry is spent first": (
                (
                    "        (lot for lot in position.lots if lot.is_usable_at(now)),"
                    " key=lambda lot: lot.turn\n"
                ),
                (
                    "        (lot for lot in position.lots if lot.is_usable_at(now)),"
                    " key=lambda lot: lot.turn, reverse=True\n"
                ),
            ),
            "a debit may take more than there is": (
                "    if amount > sum(lot.remaining for lot in usable):\n",
                "    if not usable:\n",
            ),
            "a debit may not take all there is": (
                "    if amount > sum(lot.remaining for lot in usable):\n",
                "    if amount >= sum(lot.remaining for lot in usable):\n",
            ),
            "an expired card pays": (
                "    if position.is_expired_at(now):\n        raise CardExpired\n",
                "",
            ),
            "a card pays before its time": (
                "    if now < position.valid_from:\n        raise CardNotYetValid\n",
                "",
            ),
            "a blocked card pays": (
                "    if position.is_blocked:\n        raise CardBlocked\n",
                "",
            ),
            "a closed card pays": (
                "    if position.is_closed:\n        raise CardClosed\n",
                "",
            ),
            "a card pays in another currency": (
                (
                    "    if position.currency != position.store_currency:\n"
                    "        raise WrongCurrency\n"
                ),
                "",
            ),
            "any token will do": (
                "if token and not codes.is_token(",
                "if not token and codes.is_token(",
            ),
            "a restricted card pays for anybody": (
                "buyer and buyer.differs_from(position.owner)",
                "False",
            ),
            "a single-use card pays twice": (
                "    if position.has_open_purchase:\n        raise SingleUseCardSpent\n",
                "",
            ),
            "a debit is looked for only without the lock": (
                "            return position.prior.first_answer(AUTHORIZE, amount).purchase\n",
                "            pass\n",
            ),
        },
    ),
    *broken(
        PURCHASES,
        f"{VERBS}/test_settle.py {BOOKS}",
        {
            "a settlement is capped by the amount alone": (
                "if amount > debit.held:",
                "if amount > debit.amount:",
            ),
            "a settlement is capped by what was settled alone": (
                "if amount > debit.held:",
                "if amount > debit.amount - debit.settled:",
            ),
            "a settlement of a credit moves money": (
                (
                    "    if transaction.kind == Transaction.Kind.CREDIT:\n"
                    "        return _settled_by_nature(transaction, amount)\n"
                ),
                "",
            ),
        },
    ),
    *broken(
        PURCHASES,
        f"{CANCELS} {BOOKS}",
        {
            "what was spent goes back before what is held": (
                "release = min(amount, debit.held)",
                "release = amount - min(amount, debit.settled - debit.refunded)",
            ),
            "a cancellation is not capped": ("left = debit.cancelable", "left = debit.amount"),
            "the whole cannot be canceled after a part": (
                "    if request.amount > left and (not left or request.amount != debit.amount):\n",
                "    if request.amount > left:\n",
            ),
            "whatever is too much cancels what is left": (
                "    if request.amount > left and (not left or request.amount != debit.amount):\n",
                "    if request.amount > left and not left:\n",
            ),
            "money goes back to the grant it was first taken from": (
                "list(reversed(position.lots))",
                "list(position.lots)",
            ),
            "money that goes back to expired credit is lost": (
                "        return position.refund_grace_days > 0 and (\n",
                "        return position.refund_grace_days < 0 and (\n",
            ),
            "the grace of an expired card is forgotten": (
                "lot.is_expired_at(request.at) or position.is_expired_at(request.at)\n        )",
                "lot.is_expired_at(request.at)\n        )",
            ),
            "the last day of grace ends in Greenwich": (
                "request.at.astimezone(zone).date()",
                "request.at.date()",
            ),
            "promotional money is refunded as paid": (
                "NewGrant(Origin.REFUND, funding, amount,",
                'NewGrant(Origin.REFUND, "paid", amount,',
            ),
            "a refund does not outlive its card": (
                '{"expires_at": expires_at} if outlives_card else {}',
                "{}",
            ),
            "a credit is taken back from credit of another funding": (
                "if lot is not own and lot.funding == own.funding]",
                "if lot is not own]",
            ),
            "a credit is taken back beyond its amount": (
                "    if amount > credit.cancelable:\n        raise ExceedsTransaction\n",
                "",
            ),
            "a credit is taken back from others first": (
                "lots = [own, *sorted(others, key=lambda lot: lot.turn)]",
                "lots = [*sorted(others, key=lambda lot: lot.turn), own]",
            ),
        },
    ),
    *broken(
        CREDITS,
        f"{VERBS}/test_credit.py {VERBS}/test_adjust.py {VERBS}/test_expire.py"
        f" {VERBS}/test_issue.py {AGAIN} {BOOKS}",
        {
            "a blocked card takes credit": (
                "            if position.is_blocked:\n                raise CardBlocked\n",
                "",
            ),
            "an expired card takes credit": (
                "    if position.is_expired_at(now):\n        raise CardExpired\n",
                "",
            ),
            "a card that is not reloadable takes a second credit": (
                (
                    "            if position.credited and not position.is_reloadable:\n"
                    "                raise NotReloadable\n"
                ),
                "",
            ),
            "a card that is not reloadable takes no credit at all": (
                "if position.credited and not position.is_reloadable",
                "if not position.is_reloadable",
            ),
            "a card takes more than can be counted": (
                "    if position.credited + amount > MAX_UNITS:\n",
                "    if amount > MAX_UNITS:\n",
            ),
            "credit outlives its card": (
                "(expires_at or program.expiry_after(start), position.expires_at)",
                "(expires_at or program.expiry_after(start),)",
            ),
            "the credit of an expired card is not booked": (
                "if lot.remaining and (position.is_expired_at(now) or lot.is_expired_at(now))",
                "if lot.remaining and lot.is_expired_at(now)",
            ),
            "an adjustment takes usable credit last": (
                "key=lambda lot: (not lot.is_usable_at(now), lot.turn)",
                "key=lambda lot: (lot.is_usable_at(now), lot.turn)",
            ),
            "an adjustment goes below zero": (
                "    if amount > sum(lot.remaining for lot in lots):\n        raise BelowZero\n",
                "",
            ),
            "an adjustment repeated the other way is the same": (
                "    if was_down != (change < 0):\n        raise RequestConflict\n",
                "",
            ),
            "an adjustment needs no reason": (
                "    if reason not in Reason.values:\n        raise ReasonRequired\n",
                "",
            ),
            "every expiry has the same name": ('f"expire:{position.version}"', '"expire"'),
        },
    ),
    *broken(
        STATES,
        f"{VERBS}/test_block.py {VERBS}/test_unblock.py {VERBS}/test_close.py {VERBS}/test_renew.py"
        f" {BOOKS}",
        {
            "a card that holds money is closed": (
                "            if closes and position.held:\n                raise MoneyHeld\n",
                "",
            ),
            "a closed card is opened again": (
                "if position.is_closed and not (closes and position.available):",
                "if False:",
            ),
            "a refund stays on a closed card for good": (
                "if position.is_closed and not (closes and position.available):",
                "if position.is_closed:",
            ),
            "a card is renewed into the past": (
                "        now, position.valid_from, position.expires_at\n",
                "        position.valid_from, position.expires_at\n",
            ),
            "a renewal brings a card's end forward": (
                "        now, position.valid_from, position.expires_at\n",
                "        now, position.valid_from\n",
            ),
            "a renewal gives an end to a card that has none": (
                "return position.expires_at is not None and end > max(",
                "return position.expires_at is None or end > max(",
            ),
            "a renewal revives what has expired": (
                "        movements = expired(position, now)\n",
                "        movements: list[Movement] = []\n",
            ),
            "a closed card keeps its money": ("if closes and position.available:", "if False:"),
        },
    ),
    *broken(
        IDEMPOTENCY,
        f"{AGAIN} {BOOKS}",
        {
            "a request repeated with another amount is the same": (
                "if (self.operation.kind, self.operation.amount) != (kind, amount):",
                "if self.operation.kind != kind:",
            ),
            "a request repeated as another verb is the same": (
                "if (self.operation.kind, self.operation.amount) != (kind, amount):",
                "if self.operation.amount != amount:",
            ),
            "a declined request repeated is accepted": (
                (
                    "        if self.operation.outcome == Outcome.DECLINED:\n"
                    "            raise DECLINES[self.operation.decline_code]\n"
                ),
                "",
            ),
            "a step of another value is recalled": (
                "            if prior.operation.amount == amount:\n",
                "            if prior:\n",
            ),
        },
    ),
    *broken(
        POSTING,
        f"{AGAIN} {VERBS}/test_authorize.py {BOOKS} {RACES}",
        {
            "a decline is not recorded": (
                (
                    "        post(position, request, (), transaction=transaction,"
                    " decline_code=decline.code)\n        raise\n"
                ),
                "        raise\n",
            ),
        },
    ),
    *broken(
        DURABILITY,
        f"{AGAIN} {VERBS}/test_authorize.py {BOOKS} {RACES}",
        {
            "a decline is rolled back": (
                "                declined = decline\n",
                "                raise\n",
            ),
            "a broken connection is a failure of its own": (
                (
                    "    except (OperationalError, InterfaceError) as error:\n"
                    "        raise LedgerBusy from error\n"
                ),
                "    except InterfaceError as error:\n        raise LedgerBusy from error\n",
            ),
            "money may depend on somebody else's transaction": (
                "with locked_in_time(durable=not _rehearsing.get()):",
                "with locked_in_time():",
            ),
        },
    ),
    *broken(
        POSTING,
        f"{VERBS}/test_authorize.py {CANCELS} {BOOKS}",
        {
            "what lands on a new grant is on the old one too": (
                "elif movement.target == Bucket.AVAILABLE and not movement.landing:",
                "elif movement.target == Bucket.AVAILABLE:",
            ),
            "refunded is told as released": (
                "                refunded += movement.amount\n",
                "                released += movement.amount\n",
            ),
            "entries are numbered from 1 again": (
                "start=self.position.version + 1)",
                "start=1)",
            ),
            "an entry does not say what was left": (
                "                available += amount if bucket == Bucket.AVAILABLE else 0\n",
                "",
            ),
            "the version does not count the entries": (
                "            len(movements),\n",
                "            1,\n",
            ),
        },
    ),
]
