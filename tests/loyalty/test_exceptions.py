import pytest

from loyalty import exceptions
from loyalty.exceptions import Decline, LedgerError

BASES: tuple[type[LedgerError], ...] = (LedgerError, Decline)
ERRORS: list[type[LedgerError]] = [
    error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, LedgerError) and error not in BASES
]


def test_have_codes_of_their_own() -> None:
    codes = [error.code for error in (*ERRORS, *BASES)]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", ERRORS)
def test_says_what_is_wrong_in_one_sentence(error: type[LedgerError]) -> None:
    message = str(error())

    assert message == error.message != LedgerError.message
    assert message.endswith(".")
    assert message[0].isupper()


@pytest.mark.parametrize("error", ERRORS)
def test_has_a_code_that_the_ledger_can_keep(error: type[LedgerError]) -> None:
    assert error.code.isidentifier()
    assert error.code.islower()
    assert len(error.code) <= 32
