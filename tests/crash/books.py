"""The two ends of a run, each a process of its own: cards before it, the ledger's proofs after it.

python -m tests.crash.books open --cards 12      migrates; prints a credential and the cards
python -m tests.crash.books verify               prints every violation of an invariant
"""

import argparse
import json
import sys

import django
from django.core.management import call_command

BALANCE = 100_000_00  # units on each card: nearly every purchase can be paid


def opened(cards: int) -> dict[str, object]:
    """A store with a credential, and cards that may be reloaded."""
    from giftcard_provider.models import Credential
    from tests.builders import make_program, make_store, make_wallet

    call_command("migrate", interactive=False, verbosity=0)
    store = make_store()
    program = make_program(store)
    credential, token = Credential.objects.issue(store)
    made = [make_wallet(program, balance=BALANCE).public_id for _ in range(cards)]
    return {"app_key": credential.app_key, "app_token": token, "cards": made}


def verified() -> list[str]:
    """A line for each violation."""
    from loyalty.ledger.invariants import violations

    return [str(violation) for violation in violations()]


def main(arguments: list[str]) -> None:
    """Do one of the two and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["open", "verify"])
    parser.add_argument("--cards", type=int, default=12)
    wanted = parser.parse_args(arguments)
    django.setup()
    result = opened(wanted.cards) if wanted.what == "open" else verified()
    print(json.dumps(result))  # noqa: T201 - the answer to whoever started this


if __name__ == "__main__":
    main(sys.argv[1:])
