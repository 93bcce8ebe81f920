"""The rules of earning, each broken in one place."""

from tests.mutations.ledger import broken

HERE = "tests/loyalty/earning"
MACHINE = f"{HERE}/test_properties.py"
ENGINE = "loyalty/earning/engine.py"
DECIDING = "loyalty/earning/deciding.py"
SETTLING = "loyalty/earning/settling.py"
LOTS = "loyalty/earning/lots.py"
TIERS = "loyalty/earning/tiers.py"
INTAKE = "loyalty/earning/intake.py"

EARNING = [
    *broken(
        ENGINE,
        MACHINE,
        {
            "orders are judged in the turn of their arrival": (
                "    in_turn = sorted(orders, key=in_order_of_payment)\n",
                "    in_turn = list(orders)\n",
            ),
            "what comes back still uses up a cap": (
                "run.used.get(key, 0) + sum(award.due for award in awards)",
                "run.used.get(key, 0) + sum(award.gross for award in awards)",
            ),
            "what is due is not rounded down to whole points": (
                "awards = [Award(base, _down(base * kept, rule.unit))] if base else []",
                "awards = [Award(base, int(base * kept))] if base else []",
            ),
            "the part paid with credit earns too": (
                "        if not tender.is_credit\n        and (not",
                "        if (not",
            ),
        },
    ),
    *broken(
        ENGINE,
        f"{HERE}/test_settling.py {MACHINE}",
        {
            "a budget is cut before what came back": (
                "given = min(due, _down(room, rule.unit))",
                "given = min(due, _down(room, rule.unit) * due // max(gross, 1))",
            ),
        },
    ),
    *broken(
        TIERS,
        MACHINE,
        {
            "a tier is lost without the days of grace": (
                "        first = day - scheme.grace_days * ONE_DAY\n",
                "        first = day\n",
            ),
            "the first of two grants holds": (
                "newest = max(given, key=lambda gift: (gift.since, gift.id), default=None)",
                "newest = min(given, key=lambda gift: (gift.since, gift.id), default=None)",
            ),
        },
    ),
    *broken(
        INTAKE,
        MACHINE,
        {
            "whatever arrives last is the newest": (
                "is_newer = not row.version or _rank(row) < order.rank",
                "is_newer = not row.version or _rank(row) != order.rank",
            ),
        },
    ),
    *broken(
        SETTLING,
        MACHINE,
        {
            "what is usable is taken back first": (
                "                lot.valid_from <= now,\n",
                "                lot.valid_from > now,\n",
            ),
            "other earnings pay before the order's own": (
                (
                    "        yield from self._taken("
                    "earning, [lot for lot in self.lots if is_own(lot, earning, own)])\n"
                ),
                "",
            ),
            "what expired is owed": (
                "gone = max(lost(earning, own, self.values) - earning.forgiven, 0)",
                "gone = 0",
            ),
            "what was waived stays waived when it is kept after all": (
                "            earning.forgiven -= again\n",
                "            earning.forgiven -= 0\n",
            ),
            "an obstacle is never looked at again": (
                "            again = now + LOOK_AGAIN\n",
                "            continue\n",
            ),
        },
    ),
    *broken(
        LOTS,
        f"{HERE}/test_settling.py {MACHINE}",
        {
            "expired credit pays what is owed": (
                "        Q(expires_at=None) | Q(expires_at__gt=timezone.now()),\n",
                "",
            ),
        },
    ),
    *broken(
        SETTLING,
        f"{HERE}/test_races.py",
        {
            "a take-back reaches into other credit": (
                "        own_grant_only=True,\n",
                "",
            ),
            "two workers plan the same movement": (
                "        Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)\n",
                "",
            ),
        },
    ),
    *broken(
        DECIDING,
        f"{HERE}/test_races.py",
        {
            "two customers use one budget at once": (
                "            Campaign.objects.select_for_update(no_key=True)\n            .filter(",
                "            Campaign.objects.filter(",
            ),
            "two orders of a customer are judged at once": (
                'people = Customer.objects.select_for_update(no_key=True, of=("self",))',
                "people = Customer.objects.all()",
            ),
        },
    ),
    *broken(
        DECIDING,
        f"{HERE}/test_arrival.py {MACHINE}",
        {
            "an order dated anew still fills the cap of its old month": (
                'engine.first_day_of(told["period"])',
                'engine.first_day_of(told["period"]) if False else next(iter(days))',
            ),
        },
    ),
]
