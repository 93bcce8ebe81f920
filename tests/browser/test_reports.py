"""The books and the audit trail in a real browser, on the screen and as a file."""

from pathlib import Path

from django.contrib.auth.models import User

from loyalty import reports
from loyalty.models import AuditEvent
from tests.browser.conftest import DeskOf
from tests.builders import make_card, make_hold, make_program, make_purchase, make_store

PAGES = (
    "/admin/loyalty/monthclosing/outstanding/",
    "/admin/loyalty/monthclosing/roll-forward/",
    "/admin/loyalty/monthclosing/curves/",
    "/admin/loyalty/monthclosing/expiring/",
    "/admin/loyalty/monthclosing/holds/?days=0",
    "/admin/loyalty/monthclosing/",
    "/admin/loyalty/auditevent/",
    "/admin/loyalty/discrepancy/",
)


def make_books() -> None:
    """110.00 given, 30.00 of it spent and 5.00 held."""
    store = make_store(name="Casa Aurora")
    card = make_card(make_program(store, name="Vale-presente", validity_days=60), balance=11_000)
    make_purchase(card, 3_000)
    make_hold(card, 500, order_id="1402310500123-01")
    reports.aggregate_due()
    reports.count_expiring()


def test_what_is_owed_is_read_and_downloaded(desk: DeskOf, boss: User, tmp_path: Path) -> None:
    make_books()
    at = desk(boss, language="pt-BR")

    at.page.click(".tiles a >> nth=0")
    at.page.wait_for_url("**/outstanding/**")
    at.check()
    with at.page.expect_download() as download:
        at.page.click("text=Baixar CSV")
    download.value.save_as(tmp_path / "books.csv")

    text = (tmp_path / "books.csv").read_text("utf-8-sig")
    assert "75,00" in text.splitlines()[1]
    assert "5,00" in text.splitlines()[1]
    assert AuditEvent.objects.filter(action="export").count() == 1


def test_every_page_of_control_is_accessible_wide_and_light(desk: DeskOf, boss: User) -> None:
    make_books()
    at = desk(boss, language="pt-BR")

    for path in ("/admin/", *PAGES):
        at.open(path)
        at.check()


def test_every_page_of_control_is_accessible_narrow_and_dark(desk: DeskOf, boss: User) -> None:
    make_books()
    at = desk(boss, language="es", width=390, is_dark=True)

    for path in ("/admin/", *PAGES):
        at.open(path)
        at.check()
        assert not at.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ), f"{path} is wider than the screen"
