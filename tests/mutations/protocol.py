"""The protocol's rules, and those of its reads, each broken in one place."""

from tests.mutations.ledger import broken

PROTOCOL_TESTS = "tests/giftcard_provider"
MONEY = "tests/loyalty/test_money.py"

PROTOCOL = [
    *broken(
        "loyalty/lookup.py",
        f"{PROTOCOL_TESTS}/test_search.py {PROTOCOL_TESTS}",
        {
            "a card of another store is shown": (
                "WHERE card.public_id = %(card)s AND card.store_id = %(store)s",
                "WHERE card.public_id = %(card)s",
            ),
            "cards of another store are found": (
                "WHERE card.store_id = %(store)s AND {_IS_VALID}",
                "WHERE {_IS_VALID}",
            ),
            "a transaction is shown through another card": (
                (
                    "        card__store_id=store_id, card__public_id=card_public_id,"
                    " public_id=public_id\n"
                ),
                "        card__store_id=store_id, public_id=public_id\n",
            ),
            "a blocked card shows a balance": (
                "CASE WHEN {_IS_VALID} THEN usable.amount ELSE 0 END",
                "usable.amount",
            ),
            "cards worth less than a cent are found": (" if view.balance]", "]"),
            "expired credit counts in the balance": (
                "      AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s)\n",
                "",
            ),
            "credit counts in the balance before its time": (
                "AND lot.valid_from <= %(now)s\n",
                "\n",
            ),
            "a restricted card's code works for anybody": (
                "view.owner.matches(bearer) or _is_merged(view, bearer):",
                "view:",
            ),
            "cards of another currency are found": (
                ("AND card.currency = (SELECT currency FROM loyalty_store WHERE id = %(store)s)\n"),
                "",
            ),
            "declined steps are listed": (
                "kind=kind, outcome=Outcome.OK, applied__gt=0",
                "kind=kind",
            ),
        },
    ),
    *broken(
        "giftcard_provider/exceptions.py",
        PROTOCOL_TESTS,
        {
            "a conflict is told as refused": (
                "ledger.RequestConflict: CONFLICT",
                "ledger.RequestConflict: REFUSED",
            ),
            "busy is told as refused": ("ledger.LedgerBusy: BUSY", "ledger.LedgerBusy: REFUSED"),
            "refused is told as malformed": (
                "ledger.InsufficientBalance: REFUSED",
                "ledger.InsufficientBalance: MALFORMED",
            ),
            "busy without a time to come back": (
                "if is_passing else None",
                "if 0 else None",
            ),
            "a silent database is our own mistake": (
                "        case OperationalError() | InterfaceError():",
                "        case InterfaceError():",
            ),
        },
    ),
    *broken(
        "giftcard_provider/authentication.py",
        f"{PROTOCOL_TESTS}/test_authentication.py",
        {
            "wrong credentials are taken as missing": (
                "            raise PermissionDenied\n",
                "            raise NotAuthenticated\n",
            ),
        },
    ),
    *broken(
        "giftcard_provider/models/credential.py",
        f"{PROTOCOL_TESTS}/test_authentication.py",
        {
            "any token of a known key will do": ("if not any(fits):", "if not found:"),
            "a revoked credential works": (" AND credential.is_active\n", "\n"),
            "the token before is not accepted": (
                "for known in hashes]",
                "for known in hashes[:1]]",
            ),
        },
    ),
    *broken(
        "giftcard_provider/parsers.py",
        f"{PROTOCOL_TESTS}/test_numbers.py {PROTOCOL_TESTS}/test_bodies.py",
        {
            "amounts are floats": ("parse_float=_number,", "parse_float=float,"),
            "of two amounts the last one counts": (
                "    if len(found) < len(pairs):\n",
                "    if len(found) > len(pairs):\n",
            ),
            "NaN is a number": ("parse_constant=_refuse,", "parse_constant=_number,"),
        },
    ),
    *broken(
        "giftcard_provider/fields.py",
        f"{PROTOCOL_TESTS}/test_numbers.py {PROTOCOL_TESTS}/test_bodies.py",
        {
            "true is an amount": ("        case bool():\n            raise InvalidAmount\n", ""),
        },
    ),
    *broken(
        "loyalty/money.py",
        f"{MONEY} {PROTOCOL_TESTS}/test_numbers.py",
        {
            "a balance is rounded up": ("rounding=ROUND_DOWN", 'rounding="ROUND_UP"'),
            "a fraction of a cent is rounded away": (
                "if abs(_EXACT.subtract(scaled, steps)) > _NOISE:",
                "if False:",
            ),
            "binary noise is no amount": ("> _NOISE:", "> 0:"),
            "any number of units is an amount": (
                "if not 0 < units <= MAX_UNITS:",
                "if not 0 <= units:",
            ),
        },
    ),
    *broken(
        "giftcard_provider/views.py",
        PROTOCOL_TESTS,
        {
            "a credit of the protocol is a debit": (
                "self._credit if wanted.kind == CREDIT else self._debit",
                "self._debit",
            ),
            "wrong codes are not counted": ("wrong_codes.count(", "str("),
            "the buyer is not compared": ("            buyer=wanted.client,\n", ""),
            "the token is not compared": ("            token=wanted.token,\n", ""),
        },
    ),
    *broken(
        "giftcard_provider/middleware.py",
        PROTOCOL_TESTS,
        {"an answer may be kept by a cache": ('    "Cache-Control": "no-store",\n', "")},
    ),
    *broken(
        "giftcard_provider/throttling.py",
        f"{PROTOCOL_TESTS}/test_throttling.py",
        {
            "the same wrong code counts every time": (
                'if cache.add(_key(key, "code", code), 1, timeout=window):',
                "if True:",
            ),
            "a code that one shopper typed is not counted for another": (
                '_key(key, "code", code)',
                '_key("", "code", code)',
            ),
            "all who say nothing share one bound": (
                "for kind, value in named if value]",
                "for kind, value in named]",
            ),
        },
    ),
    *broken(
        "loyalty/codes.py",
        "tests/loyalty/test_codes.py",
        {
            "a short code is shown whole": ("min(4, len(code) // 2)", "4"),
        },
    ),
    *broken(
        "loyalty/wallets.py",
        f"{PROTOCOL_TESTS}/test_create_card.py",
        {
            "a closed wallet gets the rewards": (
                "    return wallets.exclude(status=GiftCard.Status.CLOSED)\n",
                "    return wallets\n",
            ),
            "an expired wallet refuses every reward": (
                (
                    "    if owner and wanted.relation_name and (existing := same.first()):\n"
                    "        return _usable_again(existing, wanted, actor=actor)\n"
                ),
                (
                    "    if owner and wanted.relation_name and (existing := same.first()):\n"
                    "        return existing\n"
                ),
            ),
            "every wallet is renewed by a repeated call": (
                "if wallet.expires_at is None or wallet.expires_at > timezone.now():",
                "if wallet.expires_at is None:",
            ),
            "a gift card program catches rewards": (
                '        kind=Program.Kind.LOYALTY,\n        name="Loyalty",\n        defaults={\n',
                '        name="Loyalty",\n        defaults={"kind": Program.Kind.LOYALTY,\n',
            ),
        },
    ),
]
