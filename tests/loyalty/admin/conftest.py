"""Staff at the back office, and books with a row in every table.

`signed_in(user)` is somebody who has just typed the password: what is behind `password_confirmed`
lets them in. After a bare `client.force_login(user)` do `confirm_password(client)` for those pages.
One-time passwords are off in tests (`STAFF_TOTP_REQUIRED`) but in those of the sign in.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from giftcard_provider.models import Credential
from loyalty.models import Customer, GiftCard, Reason, Transaction
from loyalty.sign_in.confirmation import note_password
from tests.builders import (
    make_adjustment,
    make_cancellation,
    make_card,
    make_customer,
    make_points_program,
    make_purchase,
    make_store,
)


@dataclass(frozen=True)
class Books:
    """One card with a history, and the secrets that no page may show."""

    card: GiftCard
    owner: Customer
    debit: Transaction
    credential: Credential
    app_token: str


def make_books() -> Books:
    store = make_store(name="Casa Aurora")
    program = make_points_program(store, is_restricted=True)
    owner = make_customer(store, name="Ana Souza", email="ana@example.com", document="12345678909")
    card = make_card(program, balance=1_234_5678, owner=owner)
    debit = make_purchase(card, 2_0000, order_id="1402310500123-01")
    make_cancellation(debit, 5000)
    make_adjustment(card, 100, reason=Reason.CUSTOMER_SERVICE, note="Late delivery")
    credential, app_token = Credential.objects.issue(store)
    credential.rotate()
    return Books(card, owner, debit, credential, app_token)


@pytest.fixture
def books(db: None) -> Books:
    return make_books()


def confirm_password(client: Client) -> None:
    """Let a signed-in client act as if the password had been typed a moment ago."""
    session = client.session
    note_password(session)
    session.save()


@pytest.fixture
def signed_in(db: None) -> Callable[[User], Client]:
    def client_of(user: User) -> Client:
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        confirm_password(client)
        return client

    return client_of


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("boss", password="a long password")


@pytest.fixture
def viewer(db: None) -> User:
    user = User.objects.create_user("viewer", password="a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return user


@pytest.fixture
def boss(superuser: User, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(superuser)
