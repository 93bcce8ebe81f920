"""Who may do what: a table of pages and actions by role, asked over HTTP.

To add a page: one row in PAGES (a way to its address, and the roles that get an answer). To add an
action: one row in ACTIONS, whose address is posted to directly, without its form. Everybody else
gets 403. An address of the site, an action or a kind of row without a row here fails a test.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, resolve, reverse
from django.utils import timezone

from giftcard_provider.models import Credential, FailedCall, HubChange, SelfTest, VtexKeys
from loyalty import (
    approvals,
    audit,
    batches,
    earning,
    jobs,
    notifications,
    point_values,
    reconciliation,
    roles,
)
from loyalty.actions import Adjust
from loyalty.admin.exports import ExportedList
from loyalty.admin.forms import FORMS
from loyalty.batches.drafts import Plan
from loyalty.models import (
    Alert,
    Approval,
    AuditAction,
    AuditEvent,
    Balance,
    Batch,
    BatchOwner,
    Campaign,
    Customer,
    Discrepancy,
    Earning,
    EarningMovement,
    EarningRule,
    Entry,
    GiftCard,
    Grant,
    ImportFile,
    Job,
    JobKind,
    MonthClosing,
    Notification,
    Operation,
    PointValueChange,
    Program,
    Proof,
    ProofDifference,
    ReconciliationRun,
    ShopOrder,
    SpendingLimit,
    Store,
    TierChange,
    TierGrant,
    TierScheme,
    TierStanding,
    Transaction,
)
from loyalty.order_sources import Window, WindowKind
from loyalty.roles import Role
from loyalty.tasks import HANDLERS
from tests.builders import history, make_customer, make_program
from tests.giftcard_provider.test_call_pages import make_call
from tests.loyalty.admin.conftest import Books, confirm_password
from tests.loyalty.admin.test_pages import Inline
from tests.loyalty.earning.builders import (
    DAY,
    an_order,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    make_scheme,
    take,
)
from tests.loyalty.imports.conftest import make_import
from tests.loyalty.staff import acting, make_staff

JANUARY = datetime.date(2026, 1, 1)

V, S, M, F, A = Role.VIEWER, Role.SUPPORT, Role.MANAGER, Role.FINANCE, Role.ADMINISTRATOR
ALL, NOBODY = frozenset(Role), frozenset[Role]()
Address = Callable[[], str]


@dataclass(frozen=True)
class Line:
    """A row of the table: what it is, where it is, and who gets an answer."""

    what: str
    address: Address
    allowed: frozenset[Role]

    def __str__(self) -> str:
        return self.what


def page(name: str, *arguments: object) -> Address:
    return lambda: reverse(f"admin:{name}", args=arguments)


def listing(model: type[Model]) -> Address:
    return page(f"{model._meta.app_label}_{model._meta.model_name}_changelist")


def file_of(model: type[Model]) -> Address:
    return page(f"{model._meta.app_label}_{model._meta.model_name}_export")


def adding(model: type[Model]) -> Address:
    return page(f"{model._meta.app_label}_{model._meta.model_name}_add")


def first(model: type[Model], name: str = "change", *more: object, **conditions: Any) -> Address:
    """A page of the first row."""

    def address() -> str:
        row = model._default_manager.filter(**conditions).order_by("pk")[0]
        meta = model._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=[row.pk, *more])

    return address


def of(model: type[Model], name: str, *more: object, **conditions: Any) -> Address:
    """A page of its own about the first row."""

    def address() -> str:
        row = model._default_manager.filter(**conditions).order_by("pk")[0]
        return reverse(f"admin:{name}", args=[row.pk, *more])

    return address


def one(model: type[Model], name: str = "change") -> Address:
    """A page of a row that is nobody's own."""
    return first(model, name, **{"username": "other"} if model is User else {})


def line(what: str, address: Address, *allowed: Role) -> Line:
    return Line(what, address, frozenset(allowed))


# Who sees the list and the page of each kind of row, and who adds and changes some by a form.
# Money is in none of the forms; a row is deleted by nobody.
SEEN: Mapping[type[Model], frozenset[Role]] = {
    **dict.fromkeys((Store, Program, Customer, GiftCard, Balance, Grant), ALL),
    **dict.fromkeys((Transaction, Operation, Entry, Batch, BatchOwner, ImportFile), ALL),
    **dict.fromkeys((Job, Approval), ALL),
    **dict.fromkeys((ReconciliationRun, Discrepancy, Notification, FailedCall), ALL),
    **dict.fromkeys((Proof, ProofDifference, Alert), ALL),
    **dict.fromkeys((EarningRule, Campaign, ShopOrder, Earning, EarningMovement), ALL),
    **dict.fromkeys((TierScheme, TierStanding, TierChange, TierGrant), ALL),
    PointValueChange: ALL,
    **dict.fromkeys((AuditEvent, MonthClosing), frozenset({F, A})),
    **dict.fromkeys((User, Group, SpendingLimit, Credential, VtexKeys), frozenset({A})),
    **dict.fromkeys((HubChange, SelfTest), frozenset({A})),
}
# Who may take what they see away.
TAKEN = frozenset({M, F, A})
FILES = {model for model, page in admin.site._registry.items() if isinstance(page, ExportedList)}
TYPED: Mapping[type[Model], frozenset[Role]] = {
    **dict.fromkeys((User, SpendingLimit, Store, Program), frozenset({A})),
}
# A customer's page only shows: it is completed at another address.
ADDED: Mapping[type[Model], frozenset[Role]] = {**TYPED, Customer: frozenset({S, M})}
# E-mails in a frame, with a policy of their own (test_messages): a browser may style them, no more.
LETTERS = [
    line("what a message says", of(Notification, "loyalty_notification_preview"), *ALL),
    line("preview of the words", of(Program, "loyalty_program_preview", "issued", "en"), A),
]
DRAFT = {"switched_on_at": None}
WALLETS = {"relation_name": "loyalty-program"}
POINTS = {"point_units__isnull": False}
EARNING = [
    line("new rule", of(Program, "loyalty_earningrule_new"), M),
    line("change a rule", of(EarningRule, "loyalty_earningrule_edit", **DRAFT), M),
    line("try a rule", of(EarningRule, "loyalty_earningrule_try"), M),
    line("switch a rule on", of(EarningRule, "loyalty_earningrule_switch", "on", **DRAFT), M),
    line("new campaign", of(Program, "loyalty_campaign_new"), M),
    line("change a campaign", of(Campaign, "loyalty_campaign_edit", **DRAFT), M),
    line("switch a campaign on", of(Campaign, "loyalty_campaign_switch", "on", **DRAFT), M),
    line("read orders again", of(Store, "loyalty_shoporder_again"), M),
    line("new tiers", of(Program, "loyalty_tierscheme_new"), M),
    line("change tiers", of(TierScheme, "loyalty_tierscheme_edit", **DRAFT), M),
    line("switch tiers on", of(TierScheme, "loyalty_tierscheme_switch", **DRAFT), M),
]
PAGES = [
    *(Line(f"list: {model.__name__}", listing(model), seen) for model, seen in SEEN.items()),
    *(Line(f"one: {model.__name__}", one(model), seen) for model, seen in SEEN.items()),
    *(Line(f"past: {model.__name__}", one(model, "history"), seen) for model, seen in SEEN.items()),
    *(Line(f"new: {model.__name__}", adding(model), ADDED.get(model, NOBODY)) for model in SEEN),
    *(
        Line(f"file: {model.__name__}", file_of(model), SEEN[model] & TAKEN)
        for model in sorted(FILES, key=lambda model: model.__name__)
    ),
    line("statement of a customer", of(Customer, "loyalty_customer_statement"), *TAKEN),
    line("overview", page("index"), *ALL),
    line("own authenticator", page("authenticator"), *ALL),
    line("own password", page("password_change"), *ALL),
    line("messages of a customer", of(Customer, "loyalty_customer_messages"), S, M),
    line("messages of a program", of(Program, "loyalty_program_messages"), A),
    line("words of a message", of(Program, "loyalty_program_words", "issued", "en"), A),
    *LETTERS,
    line("form: release what differs", first(Discrepancy, "action", "release"), S, M),
    line("form: compare with VTEX", page("loyalty_reconciliationrun_start"), M, F),
    line("form: compare with a file", page("loyalty_reconciliationrun_upload"), M, F),
    line("form: set keys", page("set_vtex_keys"), A),
    line("a store's Hub", of(Store, "hub_of_store"), A),
    line("a store's self-tests", of(Store, "self_tests_of_store"), A),
    line("periodic work", page("periodic_work"), *ALL),
    line("books: outstanding", page("books_outstanding"), F, A),
    line("books: roll-forward", page("books_roll_forward"), F, A),
    line("books: curves", page("books_curves"), F, A),
    line("a program's figures", page("program_figures"), *ALL),
    line("a program's members", page("program_members"), *ALL),
    line("own password, changed", page("password_change_done"), *ALL),
    line("search", page("search"), *ALL),
    line("why a card did not appear", page("verdicts"), *ALL),
    line("one order", page("loyalty_order", "1402310500123-01"), *ALL),
    line("books: expiring", page("books_expiring"), *ALL),
    line("books: open holds", page("books_holds"), *ALL),
    line("new batch: program", page("loyalty_batch_choose"), M),
    line("new batch", of(Program, "loyalty_batch_new"), M),
    line("new credits by a list", of(Program, "loyalty_batch_credit", "list", **WALLETS), M),
    line("new credits by a filter", of(Program, "loyalty_batch_credit", "filter", **WALLETS), M),
    line("upload an import", page("loyalty_importfile_upload"), M),
    line("problems of an import", of(ImportFile, "loyalty_importfile_problems"), *ALL),
    line("reveal a code", first(GiftCard, "reveal"), M),
    line("locked out", page("locked_out"), A),
    line("reset one-time passwords", of(User, "reset_device", username="other"), A),
    line("new credential", page("issue_credential"), A),
    line("revoke a credential", of(Credential, "credential_step", "revoke"), A),
    line("personal data", of(Customer, "personal_data"), A),
    line("erase a person", of(Customer, "erase_person"), A),
    line("form: give credit", first(GiftCard, "action", "credit"), S, M),
    line("form: adjust", first(GiftCard, "action", "adjust"), S, M),
    line("form: block", first(GiftCard, "action", "block"), S, M),
    line("form: extend", first(GiftCard, "action", "extend"), S, M),
    line("form: change the owner", first(GiftCard, "action", "owner"), M),
    line("form: close", first(GiftCard, "action", "close"), M),
    line("form: complete a customer", of(Customer, "loyalty_customer_edit"), S, M),
    line("form: give to a customer", first(Customer, "action", "give"), S, M),
    line("form: merge customers", first(Customer, "action", "merge"), S, M),
    line("form: undo a merge", first(Customer, "action", "unmerge"), S, M),
    line("form: issue a card", first(Program, "action", "issue"), S, M),
    line("form: change the point value", first(Program, "action", "point_value", **POINTS), M),
    line("form: settle", first(Transaction, "action", "settle"), M),
    line("form: cancel", first(Transaction, "action", "cancel"), S, M),
    line("form: reverse", first(Operation, "action", "reverse", kind="adjust"), M),
    line("form: pay a return", first(ShopOrder, "action", "pay-return"), S, M),
    line("earning of a program", of(Program, "loyalty_program_earning"), *ALL),
    line("tiers of a customer", of(Customer, "loyalty_customer_tier"), *ALL),
    *EARNING,
]
ACTIONS = [
    *(Line(f"add: {model.__name__}", adding(model), ADDED.get(model, NOBODY)) for model in SEEN),
    *(Line(f"change: {model.__name__}", one(model), TYPED.get(model, NOBODY)) for model in SEEN),
    *(Line(f"delete: {model.__name__}", one(model, "delete"), NOBODY) for model in SEEN),
    line("decide", of(Approval, "loyalty_approval_decide"), M, F),
    line("make a draft of a batch", of(Program, "loyalty_batch_new"), M),
    line("issue a batch", first(Batch, "action", "issue_batch", status="draft"), M),
    line("make a draft of credits", of(Program, "loyalty_batch_credit", "list", **WALLETS), M),
    line("give credits", first(Batch, "action", "credit_batch", status="draft"), M),
    line("extend a batch", first(Batch, "action", "extend_batch", status="issued"), M),
    line("undo a batch", first(Batch, "action", "undo_batch", status="issued"), M),
    line("apply an import", first(Batch, "action", "apply_import", source="imported"), M),
    line("codes of a batch", of(Batch, "loyalty_batch_codes", status="issued"), M),
    line("give up a batch", of(Batch, "loyalty_batch_discard", status="draft"), M),
    line("discard an import", of(ImportFile, "loyalty_importfile_discard"), M),
    line("let a job go on", of(Job, "loyalty_job_again", status="failed"), M),
    line("reveal a code", first(GiftCard, "reveal"), M),
    line("print a card", first(GiftCard, "print"), M),
    line("close a month", page("books_close"), F),
    line("give credit", first(GiftCard, "action", "credit"), S, M),
    line("adjust", first(GiftCard, "action", "adjust"), S, M),
    line("block", first(GiftCard, "action", "block"), S, M),
    line("unblock", first(GiftCard, "action", "unblock"), S, M),
    line("extend", first(GiftCard, "action", "extend"), S, M),
    line("change the owner", first(GiftCard, "action", "owner"), M),
    line("close", first(GiftCard, "action", "close"), M),
    line("give to a customer", first(Customer, "action", "give"), S, M),
    line("merge customers", first(Customer, "action", "merge"), S, M),
    line("undo a merge", first(Customer, "action", "unmerge"), S, M),
    line("issue a card", first(Program, "action", "issue"), S, M),
    line("change the point value", first(Program, "action", "point_value", **POINTS), M),
    line("settle", first(Transaction, "action", "settle"), M),
    line("cancel", first(Transaction, "action", "cancel"), S, M),
    line("reverse", first(Operation, "action", "reverse", kind="adjust"), M),
    line("send a statement", of(Customer, "loyalty_customer_messages"), S, M),
    line("send a message again", of(Notification, "loyalty_notification_again"), S, M),
    line("switch messages on", of(Program, "loyalty_program_messages"), A),
    line("write a message's words", of(Program, "loyalty_program_words", "issued", "en"), A),
    line("release what differs", first(Discrepancy, "action", "release"), S, M),
    line("refund what differs", first(Discrepancy, "action", "refund"), S, M),
    line("settle what differs", first(Discrepancy, "action", "settle"), M),
    line("take back what differs", first(Discrepancy, "action", "take-back"), S, M),
    line("differences as CSV", page("loyalty_discrepancy_csv"), M, F, A),
    line("decide about a difference", first(Discrepancy, "triage"), M, F),
    line("compare with VTEX", page("loyalty_reconciliationrun_start"), M, F),
    line("compare with a file", page("loyalty_reconciliationrun_upload"), M, F),
    line("set keys", page("set_vtex_keys"), A),
    line("change keys", of(VtexKeys, "change_vtex_keys"), A),
    line("end keys", of(VtexKeys, "end_vtex_keys"), A),
    line("change a store's Hub", of(Store, "hub_of_store"), A),
    line("start a self-test", of(Store, "self_tests_of_store"), A),
    line("copy personal data", of(Customer, "export_person"), A),
    line("erase a person", of(Customer, "erase_person"), A),
    line("password of a person", of(User, "auth_user_password_change", username="other"), A),
    line("reset one-time passwords", of(User, "reset_device", username="other"), A),
    line("unlock", of(User, "unlock", username="other"), A),
    line("make a credential", page("issue_credential"), A),
    line("rotate a credential", of(Credential, "credential_step", "rotate"), A),
    line("end the previous token", of(Credential, "credential_step", "retire"), A),
    line("revoke a credential", of(Credential, "credential_step", "revoke"), A),
    line("run periodic work", page("run_periodic_work", "watch"), M),
    line("pay a return", first(ShopOrder, "action", "pay-return"), S, M),
    line("earning policy", of(Program, "loyalty_program_earning"), M),
    line("grant a tier", of(Customer, "loyalty_customer_tier"), S, M),
    *EARNING,
]


def make_difference(debit: Transaction) -> None:
    """A comparison that found a purchase without an order, and the keys it was read with."""
    store, now = debit.card.store, timezone.now()
    keys = VtexKeys(store=store, app_key="vtexappkey-loja-A")
    keys.seal("made up")
    keys.save()
    window = Window(WindowKind.AUTHORIZED, now - datetime.timedelta(days=1), now)
    run = reconciliation.start(store, window)
    Discrepancy.objects.create(
        store=store,
        run=run,
        kind=Discrepancy.Kind.DEBIT_WITHOUT_ORDER,
        key=debit.public_id,
        severity=Discrepancy.Severity.MEDIUM,
        currency="BRL",
        amount=1,
        remedy=Discrepancy.Remedy.RELEASE,
        remedy_units=1,
        card=debit.card,
        transaction=debit,
        first_seen=now,
        last_seen=now,
    )


# Django's own, and the steps of the sign in, which everybody passes on the way.
FREE = {
    *("login", "logout", "verify", "enrol", "confirm_password", "new_backup_codes"),
    *("jsi18n", "autocomplete", "view_on_site", "app_list"),
}


@pytest.fixture
def as_role(books: Books) -> Callable[[Role], Client]:
    """Somebody of a role, in books with a row of everything."""
    roles.sync()
    make_rows(books.card)
    make_difference(books.debit)  # its comparison is begun, and done by nobody

    def client_of(role: Role) -> Client:
        user = User.objects.create_user(f"one-{role}", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        confirm_password(client)
        return client

    return client_of


def make_rows(card: GiftCard) -> None:
    """What staff and the clock have left behind, beside the money."""
    other = User.objects.create_user("other", is_staff=True)
    SpendingLimit.objects.create(user=other, currency="BRL", per_action=1, per_day=1)
    audit.record(AuditAction.BLOCK, None, card=card)
    asked = Adjust(card_id=card.pk, change=100, reason="correction", note="x")
    approvals.carry_out(asked, actor=acting(make_staff("adjust_card", per_action=0)), token="one")
    program = make_program(card.store)
    plan = Plan(
        program=program, name="Natal", amount=100, count=1, owners=[make_customer(card.store)]
    )
    batches.start(batches.draft(plan, created_by=other), requested_by=other)
    make_import("balance\n1.00\n", program, user=other)
    while jobs.run_next(HANDLERS):
        pass
    batches.draft(plan, created_by=other)
    Job.objects.create(kind=JobKind.ISSUE_BATCH, status=Job.Status.FAILED)
    proof = Proof.objects.create(scope=Proof.Scope.EVERYTHING, started_at=timezone.now())
    seen = dict.fromkeys(("first_seen", "last_seen"), timezone.now())
    ProofDifference.objects.create(proof=proof, check_name="I1", card=card, figures="x", **seen)
    Alert.objects.create(key="books:1", kind=Alert.Kind.BOOKS_WRONG, about={"number": 1})
    MonthClosing.objects.create(store=card.store, month=JANUARY, taken_at=timezone.now())
    make_call(store=card.store)
    HubChange.objects.create(store=card.store, kind="look", provider_id="ourcredit")
    SelfTest.objects.create(store=card.store, card=card)
    make_earnings(card.store)
    point_values.change(
        Program.objects.filter(**POINTS)[0],
        before=25,
        after=10,
        policy=PointValueChange.Policy.KEEP_MONEY,
        requested_by=other,
        reason="campaign",
        request_id="value",
    )
    if card.owner:
        notifications.request_statement(card.owner, token="first", actor=acting(other))


def make_earnings(store: Store) -> None:
    """An order that earned, by a rule and a campaign, and reached a tier; a draft of each."""
    program = make_earning_program(store)
    make_scheme(program)
    make_scheme(program, on=False)
    rule, campaign = make_rule(program), make_campaign(program)
    take(store, invoiced(an_order(100_00)))
    for row in (rule, campaign):
        row.pk, row.switched_on_at = None, None
    rule.unit = rule.point_units = None
    campaign.used = 0
    rule.save(force_insert=True)
    campaign.save(force_insert=True)
    earning.grant(
        program,
        Customer.objects.filter(shop_orders__isnull=False)[0],
        tier="Gold",
        until=timezone.now() + DAY,
        reason="Waited long",
        by=User.objects.get(username="other"),
        request_id="granted",
    )


def names_of(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    """The names of all addresses of the site."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names_of(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def test_every_address_has_its_line(as_role: Callable[[Role], Client]) -> None:
    as_role(Role.VIEWER)
    lines = [resolve(each.address()) for each in (*PAGES, *ACTIONS)]

    addresses = set(names_of(admin.site.get_urls()))
    # An action of a model without pages has no address yet.
    shown = [forms for model, forms in FORMS.items() if model in admin.site._registry]
    actions = {form.name for forms in shown for form in forms}

    assert addresses - {each.url_name for each in lines} - FREE == set()
    assert actions - {each.kwargs.get("name") for each in lines} == set()
    assert set(admin.site._registry) == set(SEEN)


@pytest.mark.parametrize("role", Role)
def test_pages(role: Role, as_role: Callable[[Role], Client]) -> None:
    client = as_role(role)

    statuses = {each.what: client.get(each.address()).status_code for each in PAGES}

    assert statuses == {each.what: 200 if role in each.allowed else 403 for each in PAGES}


@pytest.mark.parametrize("role", Role)
def test_actions_without_their_form(
    role: Role, books: Books, as_role: Callable[[Role], Client]
) -> None:
    client = as_role(role)
    forbidden = [each for each in ACTIONS if role not in each.allowed]
    before = history(books.card)
    people = list(User.objects.order_by("pk").values())
    limits = list(SpendingLimit.objects.values())
    credentials = list(Credential.objects.values())
    everything = {"confirm": "1", "post": "yes", "_save": "1", "amount": "1.00", "note": "x"}

    statuses = {
        each.what: client.post(each.address(), everything).status_code for each in forbidden
    }

    assert statuses == {each.what: 403 for each in forbidden}
    assert history(books.card) == before
    assert list(User.objects.order_by("pk").values()) == people
    assert list(SpendingLimit.objects.values()) == limits
    assert list(Credential.objects.values()) == credentials


@pytest.mark.parametrize("role", Role)
def test_actions_that_a_role_has_are_answered(
    role: Role, as_role: Callable[[Role], Client]
) -> None:
    client = as_role(role)
    allowed = [each for each in ACTIONS if role in each.allowed]

    # Empty forms: what comes back is a page with errors, or the way to one; never a refusal.
    statuses = {each.what: client.post(each.address()).status_code for each in allowed}

    assert {what for what, status in statuses.items() if status not in {200, 302}} == set()


def test_nobody_does_anything_without_a_role(as_role: Callable[[Role], Client]) -> None:
    client = as_role(Role.VIEWER)
    User.objects.get(username=f"one-{Role.VIEWER}").groups.clear()
    own = {"overview", "own authenticator", "own password", "own password, changed", "search"}

    pages = {each.what: client.get(each.address()).status_code for each in PAGES}
    actions = {each.what: client.post(each.address()).status_code for each in ACTIONS}

    assert pages == {each.what: 200 if each.what in own else 403 for each in PAGES}
    assert set(actions.values()) == {403}


def test_nobody_does_anything_without_signing_in(as_role: Callable[[Role], Client]) -> None:
    as_role(Role.VIEWER)
    client = Client()

    for each in PAGES:
        answer = client.get(each.address())
        assert answer.status_code == 302, each
        assert answer["Location"].startswith("/admin/login/"), each
    for each in ACTIONS:
        answer = client.post(each.address())
        assert answer.status_code == 302, each
        assert answer["Location"].startswith("/admin/login/"), each


def test_pages_need_nothing_that_the_strict_policy_refuses(
    as_role: Callable[[Role], Client], boss: Client
) -> None:
    as_role(Role.VIEWER)

    pages = {each.what: boss.get(each.address()) for each in PAGES if each not in LETTERS}

    shown = {what: page for what, page in pages.items() if not page.streaming}
    assert {what: Inline(page.content.decode()).refused for what, page in shown.items()} == {
        what: [] for what in shown
    }


def test_every_page_takes_fifteen_statements_at_most(
    as_role: Callable[[Role], Client], boss: Client
) -> None:
    as_role(Role.VIEWER)
    taken = {}
    for each in PAGES:
        address = each.address()  # found by a statement that is not the page's
        boss.get(address)  # content types are looked up once in a process
        with CaptureQueriesContext(connection) as queries:
            boss.get(address)
        # The page of a request rehearses it, within savepoints.
        taken[each.what] = len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    assert {what: count for what, count in taken.items() if count > 15} == {}
