"""Merging two customers in the back office: the form, what it shows, the second person, undoing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty.models import Approval, AuditEvent, Customer, CustomerMerge, GiftCard, Program
from tests.builders import (
    buckets,
    fresh,
    make_card,
    make_customer,
    make_hold,
    make_merge,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
)
from tests.loyalty.admin.test_actions import confirm, do, errors, preview, said
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

HELD = "what is held stays here until it is settled or canceled, and comes back here"
SignedIn = Callable[[User], Client]
WORDS = {"reason": "correction", "note": "she called with both cards"}
MAY = ("view_customer", "view_giftcard", "view_operation", "view_approval", "merge_customers")


@pytest.fixture
def ana() -> Customer:
    return make_customer(make_store(), document="", email="ana@example.com", name="Ana Souza")


@pytest.fixture
def twin(ana: Customer) -> Customer:
    return make_customer(
        ana.store, profile_id="", email="ana@work.example", document="52998224725", name="A. Souza"
    )


@pytest.fixture
def wallets(ana: Customer, twin: Customer) -> list[GiftCard]:
    """A wallet of each in one program."""
    program = make_program(
        ana.store, kind=Program.Kind.LOYALTY, is_reloadable=True, relation_name="loyalty-program"
    )
    return [make_wallet(program, owner=ana, balance=3000), make_wallet(program, owner=twin)]


@pytest.fixture
def clerk(signed_in: SignedIn) -> Client:
    return signed_in(make_staff(*MAY, per_action=100_000_00))


@pytest.fixture
def other(signed_in: SignedIn) -> Client:
    return signed_in(make_staff(*MAY, "decide_approval"))


def page_of(customer: Customer) -> str:
    return reverse("admin:loyalty_customer_change", args=[customer.pk])


def decide(client: Client, approval: Approval, how: str = "approve") -> Any:
    address = reverse("admin:loyalty_approval_decide", args=[approval.pk])
    return client.post(address, {how: "1"}, follow=True)


def typed(other: object, **words: str) -> dict[str, str]:
    return WORDS | {"other": str(other), "stays": "other"} | words


def test_the_preview_shows_both_and_where_everything_goes(
    clerk: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    make_hold(wallets[0], 500)
    gift = make_card(make_program(ana.store), owner=ana, balance=100)

    shown = preview(clerk, ana, "merge", typed("529.982.247-25"))

    details = shown.context["merge"]
    parts = {str(part.label): (part.away, part.into, part.after) for part in details["parts"]}
    assert parts["e-mail"] == ("ana@example.com", "ana@work.example", "ana@work.example")
    assert parts["personal document"] == ("-", "529.982.247-25", "529.982.247-25")
    assert parts["VTEX profile id"] == (ana.profile_id, "-", ana.profile_id)
    assert [(card.available, card.held, card.fate) for card in details["cards"]] == [
        (
            "R$25.00",
            "R$5.00",
            f"what is available goes to {wallets[1]}; {HELD}",
        ),
        ("R$0.00", "R$0.00", "stays as it is"),
        ("R$1.00", "R$0.00", "becomes a card of A. Souza with all that is on it"),
    ]
    changes = {str(each.label): (each.before, each.after) for each in shown.context["changes"]}
    assert changes == {
        "available": ("R$0.00", "R$26.00"),
        "cards": ("1", "3"),
        f"available on {wallets[0]} ({wallets[0].program})": ("R$25.00", "R$0.00"),
        f"available on {wallets[1]} ({wallets[0].program})": ("R$0.00", "R$25.00"),
    }
    assert "is for two people to say" in shown.content.decode()
    assert fresh(gift).owner == ana


def test_another_person_decides_however_little_it_is(
    clerk: Client, other: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    answer = do(clerk, ana, "merge", **typed("ana@work.example"))

    assert said(answer) == ["It waits for another person; nothing has moved yet."]
    assert CustomerMerge.objects.count() == 0
    approval = Approval.objects.get()
    assert (approval.customer, approval.amount) == (twin, 3000)
    shown = other.get(reverse("admin:loyalty_approval_change", args=[approval.pk]))
    assert "what is available goes to" in shown.content.decode().lower()
    assert said(decide(other, approval)) == ["Approved and done."]
    assert [buckets(card).get("available", 0) for card in wallets] == [0, 3000]
    event = AuditEvent.objects.get(action="merge")
    assert (event.customer, event.subject) == (twin, f"loyalty.customer:{ana.pk}")
    assert event.amount == 3000
    assert event.after["available"] == 3000


def test_whoever_asked_does_not_decide(
    signed_in: SignedIn, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    alone = signed_in(make_staff(*MAY, "decide_approval"))
    do(alone, ana, "merge", **typed(f"#{twin.pk}"))

    answer = decide(alone, Approval.objects.get())

    assert said(answer) == ["You asked for this yourself. Another person has to decide."]
    assert CustomerMerge.objects.count() == 0


def test_a_double_click_asks_once(
    clerk: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    words = typed(f"#{twin.pk}")
    shown = preview(clerk, ana, "merge", words)

    confirm(clerk, ana, "merge", words, shown)
    confirm(clerk, ana, "merge", words, shown)

    assert Approval.objects.count() == 1


def test_the_customer_whose_page_it_is_can_be_the_one_who_stays(
    clerk: Client, other: Client, ana: Customer, twin: Customer
) -> None:
    do(clerk, ana, "merge", **typed(f"#{twin.pk}", stays="row"))

    decide(other, Approval.objects.get())

    assert fresh(twin).merged_into == ana


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("self", "This is the same customer. Choose the other one."),
        ("nobody", "This store has no customer of that number."),
        ("stranger", "Their documents or VTEX profile ids differ, so these are two people."),
    ],
)
def test_says_why_not_and_what_to_do(
    clerk: Client, ana: Customer, twin: Customer, who: str, why: str
) -> None:
    stranger = make_customer(ana.store, document="")
    number = {"self": ana.pk, "nobody": 987654, "stranger": stranger.pk}[who]

    answer = preview(clerk, ana, "merge", typed(f"#{number}"))

    assert errors(answer)["other"][0].startswith(why)


def test_nobody_merges_a_customer_who_is_themselves(
    signed_in: SignedIn, ana: Customer, twin: Customer
) -> None:
    own = signed_in(make_staff(*MAY, email="ana@work.example"))

    answer = preview(own, ana, "merge", typed(f"#{twin.pk}"))

    assert "your own e-mail or document" in errors(answer)["__all__"][0]


def test_nobody_gives_credit_to_themselves_as_who_they_were_before_a_merge(
    signed_in: SignedIn, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    make_merge(ana, twin)
    own = signed_in(
        make_staff("view_giftcard", "adjust_card", per_action=100_000, email="ana@example.com")
    )
    more = WORDS | {"direction": "up", "amount": "1.00"}

    answer = preview(own, wallets[1], "adjust", more)

    assert "your own e-mail or document" in errors(answer)["__all__"][0]


def test_the_form_names_who_may_be_meant(clerk: Client, ana: Customer) -> None:
    same_mail = make_customer(ana.store, profile_id="", email="ana@example.com", name="Ana S.")
    make_customer(ana.store)

    form = clerk.get(reverse("admin:loyalty_customer_action", args=[ana.pk, "merge"]))

    help_text = form.context["form"].fields["other"].help_text
    assert help_text == f"Perhaps: #{same_mail.pk} Ana S."


def test_the_pages_lead_to_each_other(
    clerk: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    make_merge(ana, twin)

    merged, stays = clerk.get(page_of(ana)), clerk.get(page_of(twin))

    banner = merged.content.decode().partition("Merged into")[2].partition("</p>")[0]
    assert f'href="{page_of(twin)}"' in banner
    assert [str(button.label) for button in merged.context["buttons"]] == ["Undo the merge"]
    assert merged.context["extra_buttons"] == []
    facts = {str(fact.label): (fact.text, fact.url) for fact in stays.context["facts"]}
    assert facts["also was"] == ("ana@example.com", page_of(ana))


def test_undoing_is_one_confirmation_within_the_limit(
    clerk: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    make_merge(ana, twin)

    answer = do(clerk, fresh(ana), "unmerge", **WORDS)

    assert said(answer) == ["Done."]
    assert [buckets(card).get("available", 0) for card in wallets] == [3000, 0]
    assert AuditEvent.objects.get(action="unmerge").amount == 3000


def test_undoing_above_the_limit_waits_for_another_person(
    signed_in: SignedIn, other: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    make_merge(ana, twin)
    small = signed_in(make_staff(*MAY, per_action=2999))

    do(small, fresh(ana), "unmerge", **WORDS)
    assert buckets(wallets[1])["available"] == 3000
    decide(other, Approval.objects.get())

    assert [buckets(card).get("available", 0) for card in wallets] == [3000, 0]


def test_what_was_used_since_is_not_undone(
    clerk: Client, ana: Customer, twin: Customer, wallets: list[GiftCard]
) -> None:
    make_merge(ana, twin)
    make_purchase(wallets[1], 1)

    answer = preview(clerk, fresh(ana), "unmerge", WORDS)

    assert "has been used, moved or merged on since" in errors(answer)["__all__"][0]


def test_an_approval_asked_for_before_is_for_the_same_person(
    signed_in: SignedIn, other: Client, ana: Customer, twin: Customer
) -> None:
    program = make_program(ana.store)
    small = signed_in(make_staff("view_customer", "issue_card", "credit_card", per_action=1))
    give = {"destination": f"program-{program.pk}", "amount": "5.00", "origin": "credit"}
    do(small, ana, "give", **give)
    make_merge(ana, twin)

    answer = decide(other, Approval.objects.get())

    assert said(answer) == ["Approved and done."]
    assert GiftCard.objects.get().owner == twin
