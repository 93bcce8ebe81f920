from collections.abc import Callable

import pytest

from giftcard_provider.models import Credential
from tests.builders import make_store
from tests.giftcard_provider.commands.conftest import Ran

Run = Callable[..., Ran]


def shown(ran: Ran) -> tuple[str, str]:
    """AppKey and AppToken as the command printed them."""
    key, token = (line.split()[1] for line in ran.out.splitlines())
    return key, token


def is_accepted(app_key: str, token: str) -> bool:
    return Credential.objects.caller(app_key, token) is not None


def test_makes_a_credential_that_is_accepted(run: Run) -> None:
    store = make_store()

    ran = run("create_credential", "--store", store.account)

    app_key, token = shown(ran)
    caller = Credential.objects.caller(app_key, token)
    assert ran.code == 0
    assert caller is not None
    assert caller.store_id == store.pk
    assert app_key.startswith(store.account)


def test_both_tokens_live_until_the_earlier_one_is_retired(run: Run) -> None:
    app_key, first = shown(run("create_credential", "--store", make_store().account))

    same_key, second = shown(run("create_credential", "--rotate", app_key))

    assert same_key == app_key
    assert (is_accepted(app_key, first), is_accepted(app_key, second)) == (True, True)

    retired = run("create_credential", "--retire-previous", app_key)

    assert (retired.code, second in retired.out) == (0, False)
    assert (is_accepted(app_key, first), is_accepted(app_key, second)) == (False, True)


def test_a_revoked_credential_is_refused_for_good(run: Run) -> None:
    app_key, token = shown(run("create_credential", "--store", make_store().account))

    revoked = run("create_credential", "--revoke", app_key)
    rotated = run("create_credential", "--rotate", app_key)

    assert (revoked.code, rotated.code) == (0, 1)
    assert rotated.err == f"The credential {app_key!r} is revoked."
    assert not is_accepted(app_key, token)


@pytest.mark.parametrize(
    ("words", "error", "code"),
    [
        (["--store", "nowhere"], "There is no store 'nowhere'.", 1),
        (["--rotate", "nothing"], "There is no credential 'nothing'.", 1),
        (["--retire-previous", "nothing"], "There is no credential 'nothing'.", 1),
        (["--revoke", "nothing"], "There is no credential 'nothing'.", 1),
        (["--store", ""], "Name an account or an AppKey.", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_says_in_one_line_what_is_wrong(words: list[str], error: str, code: int, run: Run) -> None:
    ran = run("create_credential", *words)

    assert (ran.out, ran.err, ran.code) == ("", error, code)
    assert not Credential.objects.exists()


@pytest.mark.parametrize("words", [[], ["--store", "a", "--revoke", "b"]], ids=["none", "two"])
def test_wants_exactly_one_thing_to_do(words: list[str], run: Run) -> None:
    ran = run("create_credential", *words)

    assert ran.code != 0
    assert ran.err.count("\n") == 0
