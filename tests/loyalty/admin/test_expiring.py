from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import reports
from loyalty.models import Batch, ExpiringMoney
from tests.builders import make_card, make_points_program
from tests.loyalty.admin.book_pages import NOW, make_months, now, rows_of, text_of


@now
def test_what_expires_by_program_and_batch(db: None, boss: Client, superuser: User) -> None:
    store, card, _hold = make_months()
    batch = Batch.objects.create(
        program=card.program, name="Natal", amount=500, count=2, total=1000, created_by=superuser
    )
    for number in (1, 2):
        make_card(card.program, balance=500, batch=batch, batch_number=number)
    make_card(make_points_program(store, name="Pontos", validity_days=5), balance=1_2345)
    ExpiringMoney.objects.all().delete()
    reports.count_expiring(every=NOW - NOW)

    text = text_of(boss, "books_expiring", days=90)
    week = text_of(boss, "books_expiring", days=7)

    assert [row[:6] for row in rows_of(text, "BRL")] == [
        ["Program", "Batch", "Funding", "First day", "Amount", "Credits"],
        ["Pontos", "-", "promotional", "03/09/2026", "1.2345", "1"],
        ["Vale-presente", "-", "paid", "03/11/2026", "1,150.0000", "1"],
        ["Vale-presente", "Natal", "paid", "05/03/2026", "10.0000", "2"],
        ["total", "", "", "", "1,161.2345", "4"],
    ]
    assert len(rows_of(week, "BRL")) == 4
    cards = reverse("admin:loyalty_giftcard_changelist")
    assert f"{cards}?program__id__exact={card.program_id}" in text


@now
def test_nothing_expires(db: None, boss: Client) -> None:
    make_months()
    ExpiringMoney.objects.all().delete()

    assert "Nothing expires within 7 days (as of 03/04/2026\u00a09\u00a0a.m.)." in text_of(
        boss, "books_expiring", days=7
    )
