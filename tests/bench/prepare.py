"""One process that fills a measurement's database: migrations, a store, a credential, cards.

The cards are made by SQL in bulk, with the history that the ledger's verbs would have written:
issued, one debit of which half is settled. `loyalty.ledger.invariants` holds on them. They were
made a minute apart, the last one now; a third of their money ends within two years.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connection
from django.db.transaction import atomic
from django.utils import timezone

ISSUED, DEBIT, SETTLED = 9_000_000, 1_000, 500  # units
# The ids are given, so that the rows of a card find each other without a look-up.
STATEMENTS = """
    INSERT INTO loyalty_customer (id, store_id, profile_id, email, document, corporate_document,
        name, language, created_at)
    SELECT n / 2, %(store)s, md5('profile' || n / 2)::uuid, 'shopper' || n / 2 || '@example.com',
           lpad((n / 2)::text, 11, '0'), '',
           (%(given)s)[1 + n / 2 %% 16] || ' ' || (%(family)s)[1 + n / 32 %% 16], '',
           %(now)s - (%(last)s - n) * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n WHERE n %% 2 = 0;

    INSERT INTO loyalty_giftcard (id, public_id, store_id, program_id, owner_id, code_digest,
        code_sealed, code_last4, is_imported, currency, exponent, status, valid_from, expires_at,
        is_restricted, is_reloadable, is_reusable, relation_name, caption, terms_version,
        created_at)
    SELECT n, md5('card' || n), %(store)s, %(program)s, (n + 1) / 2,
           coalesce(known.digest, sha256(('code' || n)::bytea)), '\\x00',
           upper(left(md5('last' || n), 4)), false, 'BRL', 2, 'active',
           %(now)s - (%(last)s - n) * interval '1 minute',
           CASE WHEN n %% 3 = 0 THEN %(now)s + (5 + n %% 720) * interval '1 day' END,
           false, false, true, '', 'Vale-presente', '',
           %(now)s - (%(last)s - n) * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n LEFT JOIN known ON known.card = n;

    INSERT INTO loyalty_balance (card_id, credited, available, held, spent, expired, removed,
        version)
    SELECT n, %(issued)s, %(issued)s - %(debit)s, %(debit)s - %(settled)s, %(settled)s, 0, 0, 3
    FROM generate_series(%(first)s, %(last)s) n;

    INSERT INTO loyalty_transaction (id, public_id, card_id, kind, amount, settled, released,
        refunded, request_id, order_id, order_sequence, created_at)
    SELECT n, md5('transaction' || n), n, 'debit', %(debit)s, %(settled)s, 0, 0, 'payment' || n,
           'v' || n || 'bench-01', n, %(now)s - (%(last)s - n) * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n;

    INSERT INTO loyalty_operation (id, oid, card_id, transaction_id, kind, request_id, amount,
        applied, outcome, decline_code, actor, reason, note, created_at)
    SELECT 3 * n + step, md5('operation' || 3 * n + step), n,
           CASE WHEN step = 0 THEN NULL ELSE n END,
           (ARRAY['issue', 'authorize', 'settle'])[step + 1],
           (ARRAY['issue:' || md5('card' || n), 'payment' || n, 'settle' || n])[step + 1],
           (ARRAY[%(issued)s, %(debit)s, %(settled)s])[step + 1],
           (ARRAY[%(issued)s, %(debit)s, %(settled)s])[step + 1],
           'ok', '', 'bench', '', '', %(now)s - (%(last)s - n) * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n, generate_series(0, 2) step;

    INSERT INTO loyalty_grant (id, card_id, operation_id, transaction_id, origin, funding, amount,
        remaining, valid_from, expires_at, reference, created_at)
    SELECT n, n, 3 * n, NULL, 'issue', 'paid', %(issued)s, %(issued)s - %(debit)s,
           %(now)s - (%(last)s - n) * interval '1 minute',
           CASE WHEN n %% 3 = 0 THEN %(now)s + (5 + n %% 720) * interval '1 day' END, '',
           %(now)s - (%(last)s - n) * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n;

    INSERT INTO loyalty_entry (id, card_id, seq, operation_id, transaction_id, grant_id,
        landing_grant_id, source, target, amount, available_after, held_after, created_at)
    SELECT 3 * n + step, n, step + 1, 3 * n + step, CASE WHEN step = 0 THEN NULL ELSE n END, n,
           NULL,
           (ARRAY['outside', 'available', 'held'])[step + 1],
           (ARRAY['available', 'held', 'spent'])[step + 1],
           (ARRAY[%(issued)s, %(debit)s, %(settled)s])[step + 1],
           %(issued)s - CASE WHEN step = 0 THEN 0 ELSE %(debit)s END,
           (ARRAY[0, %(debit)s, %(debit)s - %(settled)s])[step + 1],
           %(now)s - (%(last)s - n) * interval '1 minute'
    FROM generate_series(%(first)s, %(last)s) n, generate_series(0, 2) step;
"""
GIVEN = (
    *("Ana", "Beatriz", "Bruno", "Camila", "Carlos", "Daniela", "Eduardo", "Fernanda"),
    *("Gustavo", "Helena", "João", "Larissa", "Marcos", "Patrícia", "Rafael", "Sofia"),
)
FAMILY = (
    *("Almeida", "Barbosa", "Cardoso", "Costa", "Dias", "Ferreira", "Gomes", "Lima"),
    *("Martins", "Moreira", "Nunes", "Oliveira", "Pereira", "Ribeiro", "Silva", "Souza"),
)
TABLES = ("customer", "giftcard", "transaction", "operation", "grant", "entry")


def credential() -> dict[str, str]:
    """A store with its program and what a caller needs; the rest of the data belongs to it."""
    from giftcard_provider.models import Credential
    from loyalty.models import Program, Store

    store = Store.objects.create(
        name="Bench",
        account="bench",
        provider_id="bench",
        currency="BRL",
        time_zone="America/Sao_Paulo",
    )
    Program.objects.create(store=store, kind=Program.Kind.GIFT_CARD, name="Vale-presente")
    made, token = Credential.objects.issue(store)
    return {"app_key": made.app_key, "app_token": token}


def code_of(card: int) -> str:
    """The code of a card that can be searched for."""
    return f"{card:016}".replace("0", "Z").replace("1", "Y")


def add_cards(first: int, last: int, searchable: list[int]) -> None:
    """Cards numbered from `first` to `last`, of which some are found by their code."""
    from loyalty import codes
    from loyalty.models import Program

    program = Program.objects.get()
    with atomic(), connection.cursor() as cursor:
        # Foreign keys hold by construction; checking 20 million of them takes minutes.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("CREATE TEMP TABLE known (card bigint PRIMARY KEY, digest bytea)")
        cursor.executemany(
            "INSERT INTO known VALUES (%s, %s)",
            [(card, codes.digest(code_of(card), is_imported=False)) for card in searchable],
        )
        values: dict[str, Any] = {
            "store": program.store_id,
            "program": program.pk,
            "now": timezone.now(),
            "first": first,
            "last": last,
            "issued": ISSUED,
            "debit": DEBIT,
            "settled": SETTLED,
            "given": list(GIVEN),
            "family": list(FAMILY),
        }
        for statement in STATEMENTS.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
        for table in TABLES:
            name = f"loyalty_{table}"
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"  # noqa: S608
            )
        cursor.execute("DROP TABLE known")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def sample(cards: list[int], path: Path) -> None:
    """What the load generator needs to know of these cards, a line each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT card.id, card.public_id, txn.public_id, owner.profile_id, owner.email,"
            " owner.document FROM loyalty_giftcard card"
            " JOIN loyalty_transaction txn ON txn.id = card.id"
            " JOIN loyalty_customer owner ON owner.id = card.owner_id"
            " WHERE card.id = ANY(%s) ORDER BY md5(card.id::text)",
            [cards],
        )
        lines = [
            " ".join([card, transaction, code_of(number), *owner])
            for number, card, transaction, *owner in cursor.fetchall()
        ]
    path.write_text("\n".join(lines) + "\n")


def main(arguments: list[str]) -> None:
    """Bring the database from `--have` cards to `--cards`; print the new credential, if any."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--have", type=int, default=0)
    parser.add_argument("--cards", type=int, required=True)
    parser.add_argument("--sample", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    wanted = parser.parse_args(arguments)
    django.setup()
    made = {}
    if not wanted.have:
        call_command("migrate", interactive=False, verbosity=0)
        made = credential()
    step = max(wanted.cards // wanted.sample, 1)
    cards = list(range(step, wanted.cards + 1, step))
    add_cards(wanted.have + 1, wanted.cards, [card for card in cards if card > wanted.have])
    sample(cards, wanted.output)
    print(json.dumps(made))  # noqa: T201 - the answer to whoever started this


if __name__ == "__main__":
    main(sys.argv[1:])
