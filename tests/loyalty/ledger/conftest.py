from collections.abc import Iterator

import pytest

from loyalty.ledger.invariants import violations


@pytest.fixture
def balanced_books(db: None) -> Iterator[None]:
    """After the test, whatever it did, everything that must be true of the books is."""
    yield
    assert [str(violation) for violation in violations()] == []
