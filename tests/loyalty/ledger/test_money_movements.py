"""docs/money-movements.md says what the code does: same verbs, same movements, same refusals."""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from loyalty import exceptions, ledger
from loyalty.exceptions import Decline, LedgerError
from loyalty.identity import Identity
from loyalty.ledger.idempotency import DECLINES
from loyalty.models import Bucket, CustomerMerge, Entry, GiftCard, Operation
from loyalty.money import MAX_UNITS
from tests.builders import (
    fresh,
    make_adjustment,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_cards,
    make_change_of_owner,
    make_closed_card,
    make_credit,
    make_customer,
    make_expired_card,
    make_extension,
    make_hold,
    make_merge,
    make_program,
    make_purchase,
    make_renewal,
    make_reversal,
    make_settlement,
    make_unmerge,
    make_wallet,
    new_id,
)

PAGE = "\n" + (Path(__file__).parents[3] / "docs" / "money-movements.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    [_, section] = PAGE.split(f"\n{heading}\n", 1)
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def plain(cell: str) -> str:
    return cell.replace("`", "")


def name(row: str) -> str:
    """The verb that a row is about: `cancel` has two rows."""
    return row.partition(" ")[0]


def kind(row: str) -> str:
    """What its operations are called."""
    return {
        "issue_many": "issue",
        "expire_many": "expire",
        "change_owner": "owner",
        "merge": "transfer",
        "unmerge": "reverse",
    }.get(name(row), name(row))


VERBS = {plain(row[0]): row for row in rows("## Verbs")}


def test_names_every_verb() -> None:
    readers = {"recall_purchase", "recall_step", "rehearsal", "locked_in_time"}

    assert set(map(name, VERBS)) == {word for word in ledger.__all__ if word.islower()} - readers


def test_names_every_bucket() -> None:
    buckets = [words(row[0]) for row in rows("# Money movements")]

    assert buckets == [[bucket] for bucket in Bucket.values]


def test_names_every_refusal() -> None:
    codes = {
        error.code
        for error in vars(exceptions).values()
        if isinstance(error, type) and issubclass(error, LedgerError)
    }

    assert codes - {LedgerError.code, Decline.code} <= set(words(PAGE))


def test_names_every_recorded_refusal_as_such() -> None:
    recorded = {code for row in VERBS.values() for code in words(row[2])}
    others = {code for row in VERBS.values() for code in words(row[3])}

    assert recorded == set(DECLINES) - {Decline.code}
    assert not others & set(DECLINES)


def issue() -> None:
    make_card(balance=100)


def issue_many() -> None:
    make_cards(None, ledger.NewCard(100), ledger.NewCard(0))


def credit() -> None:
    make_credit(make_card(), 100)


def authorize() -> None:
    make_hold(make_card(balance=100), 100)


def settle() -> None:
    make_settlement(make_hold(make_card(balance=100), 100), 60)


def cancel_debit() -> None:
    debit = make_hold(make_card(balance=100), 100)
    make_settlement(debit, 60)
    make_cancellation(debit, 100)


def cancel_credit() -> None:
    make_cancellation(make_credit(make_card(), 100), 100)


def expire() -> None:
    ledger.expire(make_expired_card(balance=100).pk, actor="clock")


def expire_many() -> None:
    cards = make_expired_card(balance=100), make_expired_card(balance=100)
    ledger.expire_many([card.pk for card in cards], actor="clock")


def adjust() -> None:
    card = make_card()
    make_adjustment(card, 100)
    make_adjustment(card, -100)


def block() -> None:
    make_blocked_card(balance=100)


def unblock() -> None:
    ledger.unblock(make_blocked_card(balance=100).pk, request_id="U1", actor="test")


def renew() -> None:
    make_renewal(make_expired_card(balance=100))


def close() -> None:
    make_closed_card(balance=100)


def extend() -> None:
    card = make_expired_card(balance=100)
    ledger.expire(card.pk, actor="clock")
    make_extension(card)


def change_owner() -> None:
    make_change_of_owner(make_card(balance=100), None)


def make_revaluation(card: GiftCard, *, before: int = 1, after: int = 1) -> None:
    ledger.revalue(
        card.pk,
        before=before,
        after=after,
        given_until=timezone.now(),
        request_id=new_id(),
        actor="test",
        reason="campaign",
    )


def revalue() -> None:
    make_revaluation(make_card(balance=100), after=2)
    make_revaluation(make_card(balance=100), before=2)


def reverse() -> None:
    card = make_card(balance=100)
    make_reversal(make_adjustment(card, 10))
    make_reversal(make_adjustment(card, -10))


def merge() -> CustomerMerge:
    program = make_program(relation_name="loyalty-program")
    owner, stays = (make_customer(program.store, profile_id="", document="") for _ in range(2))
    make_wallet(program, balance=100, owner=owner)
    make_wallet(program, owner=stays)
    return make_merge(owner, stays)


def unmerge() -> None:
    make_unmerge(merge())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verb", "drive"),
    [
        ("issue", issue),
        ("issue_many", issue_many),
        ("credit", credit),
        ("authorize", authorize),
        ("settle", settle),
        ("cancel of a debit", cancel_debit),
        ("cancel of a credit", cancel_credit),
        ("expire", expire),
        ("expire_many", expire_many),
        ("adjust", adjust),
        ("block", block),
        ("unblock", unblock),
        ("renew", renew),
        ("close", close),
        ("extend", extend),
        ("change_owner", change_owner),
        ("revalue", revalue),
        ("reverse", reverse),
        ("merge", merge),
        ("unmerge", unmerge),
    ],
)
def test_says_what_moves_in(verb: str, drive: Callable[[], None]) -> None:
    drive()

    moved = Entry.objects.filter(operation__kind=kind(verb))
    pairs = {f"{entry.source} → {entry.target}" for entry in moved}
    assert Operation.objects.filter(kind=kind(verb)).exists()
    assert set(words(VERBS[verb][1])) == pairs


def hold_early() -> None:
    make_hold(make_card(balance=100, valid_from=timezone.now() + datetime.timedelta(days=1)), 1)


def hold_by_a_stranger() -> None:
    owner = make_customer()
    card = make_card(make_program(owner.store), balance=100, owner=owner, is_restricted=True)
    make_hold(card, 1, buyer=Identity(document="11144477735"))


def hold_twice() -> None:
    card = make_card(balance=100, is_reusable=False)
    make_hold(card, 1)
    make_hold(card, 1)


def hold_more_than_the_rule_allows() -> None:
    program = make_program(redemption_maximum=Decimal("0.05"))
    make_hold(make_card(program, balance=9), 6)


def settle_too_much() -> None:
    make_settlement(make_hold(make_card(balance=100), 50), 51)


def cancel_too_much() -> None:
    make_cancellation(make_purchase(make_card(balance=100), 50), 51)


def take_back_too_much() -> None:
    make_cancellation(make_credit(make_wallet(balance=100), 50), 51)


def take_back_after_spending() -> None:
    card = make_wallet()
    credit = make_credit(card, 100)
    make_purchase(card, 1)
    make_cancellation(fresh(credit), 100)


def close_with_a_hold() -> None:
    card = make_card(balance=100)
    make_hold(card, 1)
    ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")


def extend_closed() -> None:
    card = make_card(balance=1, expires_at=timezone.now() + datetime.timedelta(days=1))
    ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")
    make_extension(card)


def reverse_twice() -> None:
    adjustment = make_adjustment(make_card(), 1)
    make_reversal(adjustment)
    make_reversal(adjustment)


def reverse_after_spending() -> None:
    card = make_card()
    adjustment = make_adjustment(card, 9)
    make_purchase(card, 1)
    make_reversal(adjustment)


def reverse_after_closing() -> None:
    card = make_card(balance=9)
    adjustment = make_adjustment(card, -1)
    ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")
    make_reversal(adjustment)


def change_closed(verb: Callable[..., Operation], **reason: str) -> Callable[[], Operation]:
    return lambda: verb(make_closed_card().pk, request_id=new_id(), actor="test", **reason)


REFUSED: list[tuple[str, str, Callable[[], object]]] = [
    ("credit", "card_closed", lambda: make_credit(make_closed_card())),
    ("credit", "card_expired", lambda: make_credit(make_expired_card())),
    ("credit", "card_blocked", lambda: make_credit(make_blocked_card())),
    ("credit", "not_reloadable", lambda: make_credit(make_card(balance=1))),
    ("credit", "balance_limit_exceeded", lambda: make_credit(make_wallet(balance=MAX_UNITS), 1)),
    ("authorize", "card_closed", lambda: make_hold(make_closed_card(balance=9), 1)),
    ("authorize", "card_blocked", lambda: make_hold(make_blocked_card(balance=9), 1)),
    ("authorize", "card_not_yet_valid", hold_early),
    ("authorize", "card_expired", lambda: make_hold(make_expired_card(balance=9), 1)),
    ("authorize", "wrong_currency", lambda: make_hold(make_card(balance=9, currency="USD"), 1)),
    ("authorize", "wrong_token", lambda: make_hold(make_card(balance=9), 1, token="wrong")),
    ("authorize", "wrong_owner", hold_by_a_stranger),
    ("authorize", "single_use_card_spent", hold_twice),
    ("authorize", "insufficient_balance", lambda: make_hold(make_card(balance=9), 10)),
    ("authorize", "redemption_refused", hold_more_than_the_rule_allows),
    ("settle", "exceeds_hold", settle_too_much),
    ("cancel of a debit", "exceeds_transaction", cancel_too_much),
    ("cancel of a credit", "exceeds_transaction", take_back_too_much),
    ("cancel of a credit", "credit_spent", take_back_after_spending),
    ("adjust", "card_closed", lambda: make_adjustment(make_closed_card(), 1)),
    ("adjust", "card_expired", lambda: make_adjustment(make_expired_card(), 1)),
    ("adjust", "balance_limit_exceeded", lambda: make_adjustment(make_card(balance=MAX_UNITS), 1)),
    ("adjust", "below_zero", lambda: make_adjustment(make_card(balance=9), -10)),
    ("block", "card_closed", change_closed(ledger.block)),
    ("unblock", "card_closed", change_closed(ledger.unblock)),
    ("renew", "card_closed", lambda: make_renewal(make_closed_card())),
    ("close", "card_closed", change_closed(ledger.close, reason="lost")),
    ("close", "money_held", close_with_a_hold),
    ("extend", "card_closed", extend_closed),
    ("change_owner", "card_closed", lambda: make_change_of_owner(make_closed_card(), None)),
    (
        "revalue",
        "balance_limit_exceeded",
        lambda: make_revaluation(make_card(balance=MAX_UNITS), after=2),
    ),
    ("reverse", "already_reversed", reverse_twice),
    ("reverse", "credit_spent", reverse_after_spending),
    ("reverse", "card_closed", reverse_after_closing),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("verb", "code", "drive"), REFUSED)
def test_says_what_is_refused_and_recorded(
    verb: str, code: str, drive: Callable[[], object]
) -> None:
    with pytest.raises(DECLINES[code]):
        drive()

    [declined] = Operation.objects.filter(outcome="declined")
    assert (declined.kind, declined.decline_code) == (kind(verb), code)


def test_says_of_no_verb_that_it_refuses_what_is_not_tried_here() -> None:
    said = {(verb, code) for verb, row in VERBS.items() for code in words(row[2])}

    assert said == {(verb, code) for verb, code, _ in REFUSED}
