"""Batches and imports in a real browser: typed or uploaded, looked at, done by the worker."""

from pathlib import Path

from django.contrib.auth.models import User
from playwright.sync_api import expect

from loyalty import jobs
from loyalty.batches.crediting import CHUNK as CREDITS
from loyalty.batches.issuing import CHUNK
from loyalty.models import Balance, Batch, GiftCard
from loyalty.tasks import HANDLERS
from tests.browser.conftest import DeskOf, confirm, preview, work
from tests.builders import make_customer, make_points_program, make_program, make_store

SAMPLE = Path("loyalty/static/loyalty/sample-import.csv")


def work_a_little() -> None:
    """One chunk, and then the worker is gone, as in a restart."""
    assert jobs.run_next(HANDLERS, seconds=0)


def test_a_batch_shows_how_far_it_is_on_its_own_and_after_a_reload(
    desk: DeskOf, boss: User
) -> None:
    program = make_program(make_store())
    at = desk(boss)
    count = 2 * CHUNK + 10

    at.open(f"/admin/loyalty/batch/new/{program.pk}/")
    at.check()
    at.page.fill("input[name=name]", "Natal")
    at.page.fill("input[name=amount]", "25.00")
    at.page.fill("input[name=count]", str(count))
    at.page.select_option("select[name=reason]", "campaign")
    at.page.click("form.panel button[type=submit]")
    at.page.wait_for_url("**/change/")
    at.check()
    at.page.click("a.button-primary")
    at.page.wait_for_selector("button[name=confirm]")
    confirm(at)
    progress = at.page.locator(".progress")
    expect(progress).to_contain_text("0 of")
    work_a_little()
    expect(progress).to_contain_text(f"{CHUNK} of")  # the page has looked again by itself
    at.check()
    work_a_little()
    at.page.reload()
    expect(progress).to_contain_text("(99%)")
    work()
    at.page.wait_for_selector(".state-good")  # loaded anew: an empty page has no progress either
    expect(progress).to_have_count(0)
    at.check()

    cards = GiftCard.objects.filter(batch=Batch.objects.get())
    assert cards.count() == count
    assert set(Balance.objects.values_list("available", flat=True)) == {2_500}


def test_an_import_is_tried_shown_and_only_then_applied(desk: DeskOf, boss: User) -> None:
    make_program(make_store(currency="BRL"), name="Vale-presente")
    at = desk(boss, language="pt-BR")

    at.open("/admin/loyalty/importfile/upload/")
    at.check()
    at.page.select_option("select[name=program]", index=1)
    at.page.set_input_files("input[name=file]", SAMPLE)
    at.page.fill("input[name=expected_total]", "1425,40")
    at.page.click("form.panel button[type=submit]")
    at.page.wait_for_url("**/importfile/*/change/")
    at.check()
    work()
    at.page.wait_for_selector(".state-good")  # by itself, when the dry run is over
    at.check()
    assert GiftCard.objects.count() == 0
    at.page.click(".actions-row a.button-primary")
    at.page.wait_for_selector("button[name=confirm]")
    confirm(at)
    work()
    at.page.wait_for_selector(".state-good")
    at.check()

    assert GiftCard.objects.count() == 4
    assert GiftCard.objects.filter(code_last4="0001").exists()
    assert sum(Balance.objects.values_list("available", flat=True)) == 142_540


def test_a_file_with_a_mistake_names_its_line_and_applies_nothing(
    desk: DeskOf, boss: User, tmp_path: Path
) -> None:
    make_program(make_store())
    file = tmp_path / "cards.csv"
    file.write_text("code;balance\nVALE-1;10,00\nVALE-2;-5,00\n")
    at = desk(boss, language="pt-BR", width=390, is_dark=True)

    at.open("/admin/loyalty/importfile/upload/")
    at.page.select_option("select[name=program]", index=1)
    at.page.set_input_files("input[name=file]", file)
    at.page.click("form.panel button[type=submit]")
    at.page.wait_for_url("**/importfile/*/change/")
    work()
    at.page.wait_for_selector(".state-bad")
    at.check()

    assert at.page.locator("table.data td.code").last.inner_text() == "-5,00"
    assert at.page.locator(".actions-row a[href*='/do/']").count() == 0
    assert GiftCard.objects.count() == 0


def test_credit_for_many_is_looked_at_given_and_taken_back(desk: DeskOf, boss: User) -> None:
    program = make_points_program(make_store(), relation_name="loyalty-program")
    people = [make_customer(program.store) for _ in range(CREDITS + 1)]
    at = desk(boss, width=400, is_dark=True)

    at.open("/admin/loyalty/batch/new/")
    at.check()
    at.page.get_by_role("link", name="Credit for many customers").click()
    at.check()
    at.page.get_by_role("link", name="By what is known of them").click()
    at.check()
    at.page.get_by_role("link", name="By a list").click()
    at.page.fill("input[name=name]", "Sorry")
    at.page.fill("textarea[name=people]", "\n".join(each.email for each in people))
    at.page.fill("input[name=amount]", "100")
    at.page.select_option("select[name=reason]", "customer_service")
    at.page.click("form.panel button[type=submit]")
    at.page.wait_for_url("**/change/")
    at.check()
    at.page.click("a.button-primary")
    at.page.wait_for_selector("button[name=confirm]")
    confirm(at)
    work_a_little()
    expect(at.page.locator(".progress")).to_contain_text(f"{CREDITS} of")
    work()
    at.page.wait_for_selector(".state-good")
    at.check()
    assert set(Balance.objects.values_list("available", flat=True)) == {2_500}
    at.page.get_by_role("link", name="See all customers").click()
    at.check()
    at.page.go_back()
    at.page.click("a.button-danger")
    at.page.select_option("select[name=reason]", "correction")
    at.page.fill("textarea[name=note]", "The wrong list")
    preview(at)
    confirm(at)
    work()
    at.page.wait_for_selector(".state-neutral")
    assert set(Balance.objects.values_list("available", flat=True)) == {0}
