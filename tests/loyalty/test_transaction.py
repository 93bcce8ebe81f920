import pytest

from loyalty.models import Transaction


@pytest.mark.parametrize(
    ("settled", "released", "refunded", "state", "held", "cancelable"),
    [
        pytest.param(0, 0, 0, "held", 100, 100, id="new"),
        pytest.param(0, 30, 0, "held", 70, 70, id="partly released"),
        pytest.param(40, 0, 0, "partially_settled", 60, 100, id="partly settled"),
        pytest.param(40, 30, 0, "partially_settled", 30, 70, id="partly settled and released"),
        pytest.param(100, 0, 0, "settled", 0, 100, id="settled"),
        pytest.param(70, 30, 0, "settled", 0, 70, id="settled as far as not released"),
        pytest.param(100, 0, 40, "partially_refunded", 0, 60, id="partly refunded"),
        pytest.param(40, 0, 10, "partially_refunded", 60, 90, id="refunded before all is settled"),
        pytest.param(100, 0, 100, "canceled", 0, 0, id="refunded"),
        pytest.param(0, 100, 0, "canceled", 0, 0, id="released"),
        pytest.param(70, 30, 70, "canceled", 0, 0, id="released and refunded"),
    ],
)
def test_a_debit_says_what_is_left_of_it(
    settled: int, released: int, refunded: int, state: str, held: int, cancelable: int
) -> None:
    debit = Transaction(
        kind="debit", amount=100, settled=settled, released=released, refunded=refunded
    )

    assert (debit.state, debit.held, debit.cancelable) == (state, held, cancelable)
    assert debit.canceled == released + refunded


@pytest.mark.parametrize(
    ("released", "state", "cancelable"),
    [(0, "credited", 100), (30, "credited", 70), (100, "canceled", 0)],
)
def test_a_credit_says_what_is_left_of_it(released: int, state: str, cancelable: int) -> None:
    credit = Transaction(kind="credit", amount=100, released=released)

    assert (credit.state, credit.held, credit.cancelable) == (state, 0, cancelable)


def test_is_called_by_its_public_id() -> None:
    assert str(Transaction(public_id="abc")) == "abc"
