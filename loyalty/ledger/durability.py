"""The transaction of a verb: committed as a whole, or rehearsed and undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import IntegrityError, InterfaceError, OperationalError
from django.db.transaction import atomic, set_rollback

from loyalty.exceptions import Decline, LedgerBusy

# An equal request that got in between, past the check under the lock.
_ONCE = ("operation_happens_once", "operation_reversed_once")

# A commit waits for a synchronous standby as long as it takes: at a time-out PostgreSQL would give
# up that wait with a warning, and the answer would leave for an amount that only one server has.
COMMIT_PATIENTLY = "SET LOCAL statement_timeout = 0; "

_rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)


@contextmanager
def rehearsal() -> Iterator[None]:
    """Whatever the verbs do inside is seen inside, and undone at the end: what would happen if."""
    with atomic(durable=True):
        token = _rehearsing.set(True)
        try:
            yield
        finally:
            _rehearsing.reset(token)
            set_rollback(True)


@contextmanager
def durable() -> Iterator[None]:
    """One durable transaction: leaving it without an error means that the money is committed.

    A `Decline` is committed too, with its record, before it goes on to the caller. Raises
    `LedgerBusy` when the lock was not to be had in time, the connection broke (so that the outcome
    is unknown), or an equal request got in between: the same request may be sent again.
    """
    declined: Decline | None = None
    try:
        with locked_in_time(durable=not _rehearsing.get()):
            try:
                yield
            except Decline as decline:
                declined = decline
    except IntegrityError as error:
        if any(constraint in str(error) for constraint in _ONCE):
            raise LedgerBusy from error
        raise
    if declined:
        raise declined


@contextmanager
def locked_in_time(*, durable: bool = False) -> Iterator[None]:
    """One transaction, all or nothing, that may be tried again when it fails for its locks.

    Raises `LedgerBusy` when a lock was not to be had in time, in a deadlock, or when the connection
    broke (so that the outcome is unknown).
    """
    try:
        with atomic(durable=durable):
            yield
    except (OperationalError, InterfaceError) as error:
        raise LedgerBusy from error
