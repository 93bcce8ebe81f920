"""The only place where a refusal becomes a status.

VTEX shows no body to anybody (known issue 1286257): code and message are for logs and people who
read them. 401 and 403 have no body at all.
"""

import logging
from typing import Any

from django.db import InterfaceError, OperationalError
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from loyalty import exceptions as ledger

logger = logging.getLogger(__name__)

MALFORMED, UNKNOWN, CONFLICT, REFUSED, BUSY = (
    status.HTTP_400_BAD_REQUEST,
    status.HTTP_404_NOT_FOUND,
    status.HTTP_409_CONFLICT,
    status.HTTP_422_UNPROCESSABLE_ENTITY,
    status.HTTP_503_SERVICE_UNAVAILABLE,
)
RETRY_AFTER_SECONDS = 1

STATUS_OF: dict[type[ledger.LedgerError], int] = {
    ledger.InvalidAmount: MALFORMED,
    ledger.InvalidRequestId: MALFORMED,
    ledger.InvalidDates: MALFORMED,
    ledger.InvalidCode: MALFORMED,
    ledger.ReasonRequired: MALFORMED,
    ledger.NotReversible: MALFORMED,
    ledger.SameCustomer: MALFORMED,
    ledger.UnknownCurrency: MALFORMED,
    ledger.UnknownCard: UNKNOWN,
    ledger.UnknownTransaction: UNKNOWN,
    ledger.UnknownCustomer: UNKNOWN,
    ledger.RequestConflict: CONFLICT,
    ledger.DuplicateCode: CONFLICT,
    ledger.WalletExists: CONFLICT,
    ledger.BatchNumberTaken: CONFLICT,
    ledger.CardChanged: CONFLICT,
    ledger.BatchNotReady: CONFLICT,
    ledger.BatchUsed: CONFLICT,
    ledger.DifferenceOutdated: CONFLICT,
    ledger.ReturnOutdated: CONFLICT,
    ledger.PointValueUnderWay: CONFLICT,
    ledger.ImportWaits: CONFLICT,
    ledger.PointValueOutdated: CONFLICT,
    ledger.IdentitiesDiffer: CONFLICT,
    ledger.AlreadyMerged: CONFLICT,
    ledger.NotMerged: CONFLICT,
    ledger.WalletBlocked: CONFLICT,
    ledger.TooManyCards: CONFLICT,
    ledger.MergeTouched: CONFLICT,
    ledger.LedgerBusy: BUSY,
    ledger.CardBlocked: REFUSED,
    ledger.CardClosed: REFUSED,
    ledger.CardExpired: REFUSED,
    ledger.CardNotYetValid: REFUSED,
    ledger.InsufficientBalance: REFUSED,
    ledger.RedemptionRefused: REFUSED,
    ledger.SingleUseCardSpent: REFUSED,
    ledger.WrongOwner: REFUSED,
    ledger.WrongToken: REFUSED,
    ledger.WrongCurrency: REFUSED,
    ledger.NotReloadable: REFUSED,
    ledger.BalanceLimitExceeded: REFUSED,
    ledger.ExceedsHold: REFUSED,
    ledger.ExceedsTransaction: REFUSED,
    ledger.CreditSpent: REFUSED,
    ledger.BelowZero: REFUSED,
    ledger.MoneyHeld: REFUSED,
    ledger.AlreadyReversed: REFUSED,
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever was raised; what nobody foresaw is logged and is a 500."""
    match error:
        case ledger.LedgerError():
            return _answer(STATUS_OF[type(error)], error.code, str(error))
        case OperationalError() | InterfaceError():
            logger.warning("The database did not answer", exc_info=error)
            return _answer(BUSY, ledger.LedgerBusy.code, ledger.LedgerBusy.message)
        case APIException():
            return _framework_answer(error)
        case _:
            logger.error("Unforeseen error", exc_info=error)
            return _answer(status.HTTP_500_INTERNAL_SERVER_ERROR, "error", "Unforeseen error.")


def _framework_answer(error: APIException) -> Response:
    if error.status_code in {status.HTTP_401_UNAUTHORIZED, status.HTTP_403_FORBIDDEN}:
        scheme = getattr(error, "auth_header", None)
        return Response(
            status=error.status_code, headers={"WWW-Authenticate": scheme} if scheme else None
        )
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return _answer(error.status_code, code, error.detail)


def _answer(status_code: int, code: str, message: object) -> Response:
    is_passing = status_code in {BUSY, status.HTTP_429_TOO_MANY_REQUESTS}
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if is_passing else None
    body = {"error": {"code": code, "message": str(message)}}
    return Response(body, status=status_code, headers=headers)
