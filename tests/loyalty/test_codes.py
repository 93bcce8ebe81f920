import base64
import re

import pytest
from cryptography.exceptions import InvalidTag
from pytest_django import Settings

from loyalty import codes
from loyalty.exceptions import InvalidCode

OLD, NEW, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.LOYALTY_CODE_KEYS = [OLD]


def rotate(settings: Settings, *keys: str) -> None:
    settings.LOYALTY_CODE_KEYS = list(keys)


def test_makes_sixteen_symbols_that_are_not_mistaken_for_another() -> None:
    code = codes.generate()

    assert re.fullmatch("[2-9A-HJ-NP-Z]{16}", code)
    assert len(codes.ALPHABET) == len(set(codes.ALPHABET)) == 32


def test_never_makes_the_same_code_twice() -> None:
    assert len({codes.generate() for _ in range(1000)}) == 1000


def test_groups_a_code_for_people() -> None:
    assert codes.grouped("ABCDEFGH23456789") == "ABCD-EFGH-2345-6789"


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("ABCDEFGH23456789", id="as made"),
        pytest.param("abcd-efgh-2345-6789", id="as read"),
        pytest.param(" AbCd efgh\t2345 6789\n", id="as pasted"),
    ],
)
def test_finds_a_code_of_ours_however_it_is_typed(typed: str) -> None:
    stored = codes.digest("ABCDEFGH23456789", is_imported=False)

    assert stored in codes.typed_digests(typed)


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [("Vale-2019 x", True), (" Vale-2019 x\n", True), ("vale-2019 x", False), ("Vale2019x", False)],
)
def test_finds_an_imported_code_to_the_letter(typed: str, *, is_found: bool) -> None:
    stored = codes.digest("Vale-2019 x", is_imported=True)

    assert (stored in codes.typed_digests(typed)) is is_found


def test_tells_an_imported_code_from_the_same_code_of_ours() -> None:
    ours = codes.digest("ABCDEFGH23456789", is_imported=False)
    imported = codes.digest("ABCDEFGH23456789", is_imported=True)

    assert ours != imported
    assert {ours, imported} <= set(codes.typed_digests("ABCDEFGH23456789"))


@pytest.mark.parametrize(
    "typed", ["", " ", "x" * 10_000, "\x00", "\ud800", "ﬁ", "ABCD" + "\u200b" + "EFGH"]
)
def test_digests_whatever_is_typed(typed: str) -> None:
    assert all(len(digest) == 32 for digest in codes.typed_digests(typed))


@pytest.mark.parametrize(("text", "code"), [(" abcd ", "abcd"), ("x" * 255, "x" * 255)])
def test_imports_a_code_to_the_letter(text: str, code: str) -> None:
    assert codes.imported(text) == code


@pytest.mark.parametrize("text", ["", "   ", "abc", "x" * 256, "ab\x00cd", "ab\ud800cd", "ab\ncd"])
def test_imports_no_code_that_nobody_could_type(text: str) -> None:
    with pytest.raises(InvalidCode):
        codes.imported(text)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("ABCDEFGH23456789", "6789"),
        ("12345678", "5678"),
        ("1234567", "567"),
        ("123456", "456"),
        ("12345", "45"),
        ("1234", "34"),
    ],
)
def test_never_shows_more_than_half_of_a_code(code: str, shown: str) -> None:
    assert codes.last4(code) == shown


def test_shows_only_the_end_of_a_code() -> None:
    assert codes.masked("6789") == "************6789"


@pytest.mark.parametrize("code", ["ABCDEFGH23456789", "Vale-Ção 😀 " * 20])
def test_opens_what_it_sealed(code: str) -> None:
    sealed = codes.seal(code, card_public_id="card-1")

    assert codes.unseal(sealed, card_public_id="card-1") == code
    assert code.encode() not in sealed


def test_seals_the_same_code_differently_each_time() -> None:
    sealed = {codes.seal("ABCDEFGH23456789", card_public_id="card-1") for _ in range(100)}

    assert len(sealed) == 100


def test_does_not_open_what_was_sealed_for_another_card() -> None:
    sealed = codes.seal("ABCDEFGH23456789", card_public_id="card-1")

    with pytest.raises(InvalidTag):
        codes.unseal(sealed, card_public_id="card-2")


@pytest.mark.parametrize("position", [4, 20, -1])
def test_does_not_open_what_was_changed(position: int) -> None:
    sealed = bytearray(codes.seal("ABCDEFGH23456789", card_public_id="card-1"))
    sealed[position] ^= 1

    with pytest.raises(InvalidTag):
        codes.unseal(bytes(sealed), card_public_id="card-1")


def test_makes_a_token_for_each_card() -> None:
    token = codes.token("card-1")

    assert re.fullmatch("[0-9a-f]{64}", token)
    assert token == codes.token("card-1") != codes.token("card-2")


@pytest.mark.parametrize("candidate", ["", "x", "\ud800", "ABCD", "é" * 64])
def test_takes_nothing_else_for_a_token(candidate: str) -> None:
    assert codes.is_token(codes.token("card-1"), card_public_id="card-1")
    assert not codes.is_token(codes.token("card-2"), card_public_id="card-1")
    assert not codes.is_token(candidate, card_public_id="card-1")


def test_keeps_the_purposes_of_one_key_apart() -> None:
    digest = codes.digest("card-1", is_imported=True)

    assert digest.hex() != codes.token("card-1")


def test_finds_opens_and_recognizes_under_the_previous_key(settings: Settings) -> None:
    digest = codes.digest("ABCDEFGH23456789", is_imported=False)
    sealed = codes.seal("ABCDEFGH23456789", card_public_id="card-1")
    token = codes.token("card-1")

    rotate(settings, NEW, OLD)

    assert digest in codes.typed_digests("ABCDEFGH23456789")
    assert codes.unseal(sealed, card_public_id="card-1") == "ABCDEFGH23456789"
    assert codes.is_token(token, card_public_id="card-1")


def test_writes_with_the_current_key_only(settings: Settings) -> None:
    digest, token = codes.digest("ABCD", is_imported=True), codes.token("card-1")
    sealed = codes.seal("ABCD", card_public_id="card-1")

    rotate(settings, NEW, OLD)

    assert codes.digest("ABCD", is_imported=True) != digest
    assert codes.token("card-1") != token
    assert not codes.is_current(sealed)
    assert codes.is_current(codes.seal("ABCD", card_public_id="card-1"))


def test_is_lost_without_its_key(settings: Settings) -> None:
    digest, token = codes.digest("ABCD", is_imported=True), codes.token("card-1")
    sealed = codes.seal("ABCD", card_public_id="card-1")

    rotate(settings, OTHER)

    assert digest not in codes.typed_digests("ABCD")
    assert not codes.is_token(token, card_public_id="card-1")
    with pytest.raises(LookupError):
        codes.unseal(sealed, card_public_id="card-1")


@pytest.mark.parametrize("key", ["", "short", base64.b64encode(b"x" * 31).decode(), "*" * 44])
def test_takes_nothing_but_32_bytes_for_a_key(settings: Settings, key: str) -> None:
    rotate(settings, key)

    with pytest.raises(ValueError, match=r"."):
        codes.digest("ABCD", is_imported=True)


def test_opens_a_file_that_it_sealed_under_its_name_only(settings: Settings) -> None:
    content = b"code;balance\r\nA-1;10,00\r\n" * 1000
    sealed = codes.seal_file(content, name="batch:1")
    rotate(settings, NEW, OLD)

    assert codes.unseal_file(sealed, name="batch:1") == content
    assert b"A-1" not in sealed
    with pytest.raises(InvalidTag):
        codes.unseal_file(sealed, name="batch:2")


def test_a_sealed_file_is_no_sealed_code() -> None:
    with pytest.raises(InvalidTag):
        codes.unseal(codes.seal_file(b"A-1", name="x"), card_public_id="x")
