import pytest
from django.test import RequestFactory
from pytest_django import Settings

from loyalty.sign_in.address import client_address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        pytest.param(0, "203.0.113.9", "192.0.2.1", id="no proxy: what is claimed is ignored"),
        pytest.param(1, "203.0.113.9", "203.0.113.9", id="one proxy"),
        pytest.param(1, "6.6.6.6, 203.0.113.9", "203.0.113.9", id="one proxy, one invention"),
        pytest.param(2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9", id="two proxies"),
        pytest.param(2, "10.0.0.1", None, id="past a proxy"),
        pytest.param(1, "", None, id="no header"),
        pytest.param(1, "<script>", None, id="no address"),
        pytest.param(1, " 2001:DB8::1 ", "2001:db8::1", id="IPv6"),
    ],
)
def test_the_address_is_what_the_outermost_proxy_of_ours_saw(
    proxies: int, forwarded: str, expected: str | None, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)

    assert client_address(request) == expected


def test_no_address_at_all() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="")

    assert client_address(request) is None
