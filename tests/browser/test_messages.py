"""Messages in a real browser: a preview in its frame, and the pages that customers reach."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.urls import reverse

from loyalty import codes
from loyalty.models import Customer
from loyalty.notifications.links import card_link, unsubscribe_link
from tests.browser.conftest import PASSWORD, Desk
from tests.loyalty.notifications.builders import make_announced_card, make_writing_program


def test_words_are_previewed_as_they_are_typed(desk: Callable[..., Desk]) -> None:
    user = User.objects.create_superuser("editor", password=PASSWORD)
    program = make_writing_program()
    at = desk(user)

    page = at.open(reverse("admin:loyalty_program_words", args=[program.pk, "issued", "en"]))
    letter = page.frame_locator("iframe[name=letter]")
    letter.get_by_text("Hello Ana Souza,").first.wait_for()
    page.fill("textarea[name=body]", "Dear {name}, <b>welcome</b>.")
    page.get_by_role("button", name="Preview").click()
    letter.get_by_text("Dear Ana Souza, <b>welcome</b>.").first.wait_for()

    assert at.complaints == []


def test_a_customer_sees_the_code_after_a_click(desk: Callable[..., Desk]) -> None:
    card = make_announced_card()
    at = desk(width=390, is_dark=True)

    page = at.open(card_link(card).removeprefix("https://credit.example"))
    at.check()
    page.get_by_role("button", name="Show the code").click()
    page.get_by_text(codes.grouped(card.code)).wait_for()

    at.check()


def test_a_customer_stops_reminders_and_resumes_them(desk: Callable[..., Desk]) -> None:
    owner = make_announced_card().owner
    assert owner
    at = desk(language="pt-BR")

    page = at.open(unsubscribe_link(owner).removeprefix("https://credit.example"))
    at.check()
    page.get_by_role("button", name="Send me no more of these messages").click()
    page.get_by_role("button", name="Send me these messages again").wait_for()
    at.check()

    assert Customer.objects.get(pk=owner.pk).reminders_stopped_at is not None
