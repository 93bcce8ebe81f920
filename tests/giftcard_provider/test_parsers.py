"""What the wire cannot show of reading and writing bodies."""

import io
from decimal import Decimal

import pytest
from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import ParseError

from giftcard_provider.parsers import BodyTooLarge, LenientParser, ProtocolParser
from giftcard_provider.renderers import ProtocolRenderer


class BrokenStream(io.BytesIO):
    """The caller hung up in the middle of its body."""

    def read(self, size: int | None = -1) -> bytes:
        raise UnreadablePostError


def test_a_body_that_does_not_arrive_is_malformed() -> None:
    with pytest.raises(ParseError) as raised:
        ProtocolParser().parse(BrokenStream())

    assert raised.value.get_codes() == "malformed_json"


def test_no_more_than_the_limit_is_read() -> None:
    stream = io.BytesIO(b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1_000))

    with pytest.raises(BodyTooLarge):
        ProtocolParser().parse(stream)

    assert stream.tell() == settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1


def test_numbers_are_exact() -> None:
    body = b'{"a": 1, "b": 14.990000000000002, "c": 1.10, "d": -0, "e": 12345678901234567890}'

    parsed = ProtocolParser().parse(io.BytesIO(body))

    assert parsed == {
        "a": 1,
        "b": Decimal("14.990000000000002"),
        "c": Decimal("1.10"),
        "d": 0,
        "e": 12345678901234567890,
    }
    assert [type(value) for value in parsed.values()] == [int, Decimal, Decimal, int, int]


def test_of_repeated_keys_a_search_takes_the_last() -> None:
    assert LenientParser().parse(io.BytesIO(b'{"a": 1, "a": 2}')) == {"a": 2}


def test_an_answer_has_every_digit_and_no_space() -> None:
    data = {"balance": Decimal("870.00"), "list": [Decimal("0.10"), 1, None, "ç"]}

    rendered = ProtocolRenderer().render(data)

    assert rendered == b'{"balance":870.00,"list":[0.10,1,null,"\\u00e7"]}'


def test_no_data_is_no_body() -> None:
    assert ProtocolRenderer().render(None) == b""


def test_an_empty_list_is_a_body() -> None:
    assert ProtocolRenderer().render([]) == b"[]"
