"""What operators see of the ledger's work, counted when it is committed and not before."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db.transaction import on_commit

from loyalty import metrics
from loyalty.ledger.movements import Movement, Request
from loyalty.ledger.position import Position
from loyalty.models import OperationKind


def counted(
    position: Position, request: Request, movements: Sequence[Movement], decline_code: str = ""
) -> int:
    """How much moves, in units. It, or the decline, is counted with the commit."""
    applied = total(movements)
    if decline_code:
        on_commit(partial(metrics.declined, request.kind, decline_code), robust=True)
    else:
        moved(request.kind, [(position.currency, applied, position.exponent)])
    return applied


def total(movements: Sequence[Movement]) -> int:
    """How much moves, in units."""
    return sum(movement.amount for movement in movements)


def expired(booked: Iterable[tuple[int, str, int, int]]) -> list[int]:
    """The cards of rows with card, currency, units and digits, whose amounts are counted too."""
    rows = list(booked)
    moved(OperationKind.EXPIRE, (amount for _card_id, *amount in rows))
    return [card_id for card_id, *_amount in rows]


def moved(verb: str, amounts: Iterable[Sequence[Any]]) -> None:
    """Count amounts, each with its currency and the digits of its units, with the commit."""
    for currency, units, exponent in amounts:
        if units:
            on_commit(partial(metrics.moved, verb, currency, units, exponent), robust=True)
